import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { kubernetesDrill, partNames } from './kubernetes/drill.ts';
import { missingForNode } from '../test/kubernetes/support/tools.ts';

/** Faults on a real Kubernetes node, with what the chart installs. Usage: npm run drill -- kubernetes [--json FILE] [--only crashes,containers] */
const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } } });
const only = values.only?.split(',') ?? partNames;
const unknown = only.filter((name) => !partNames.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`--only: ${unknown.join(', ')} is not one of ${partNames.join(', ')}\n`);
  process.exit(2);
}
const missing = missingForNode();
if (missing !== '') {
  process.stdout.write(`Not run:${missing.replace(/^ \(skipped: (.*)\)$/, ' $1')}\n`);
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const rows = await kubernetesDrill((line) => process.stderr.write(`· ${line}\n`), only);
const text = rows.map(({ did, expected, seen, ok }) => `| ${did} | ${expected} | ${seen} | ${ok ? 'holds' : '**does not hold**'} |`);
process.stdout.write(`| did | expected | seen | |\n|---|---|---|---|\n${text.join('\n')}\n`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
process.exit(rows.every(({ ok }) => ok) ? 0 : 1);
