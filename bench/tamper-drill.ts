import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './processes.ts';
import { tamperDrill, tamperSummary, tamperTable } from './tamper/drill.ts';
import { tamperedClickHouse, tamperedPostgres } from './tamper/servers.ts';

/**
 * Tampers with a ledger in every way that we know, and writes what `ledger verify` notices into docs/tamper-drill.md.
 * Usage: npm run drill -- tamper [--on postgres|clickhouse]: in tables of a server, which writes nothing and takes two minutes.
 */
const { values } = parseArgs({ options: { on: { type: 'string', default: 'sqlite' } } });
const servers = { sqlite: null, postgres: tamperedPostgres, clickhouse: tamperedClickHouse };
if (!Object.hasOwn(servers, values.on)) {
  process.stderr.write(`--on: ${values.on} is not one of ${Object.keys(servers).join(', ')}\n`);
  process.exit(2);
}
const server = (await servers[values.on as keyof typeof servers]?.()) ?? null;
const report = await tamperDrill({ server }).finally(() => server?.close());
if (server === null) {
  const page = join(root, 'docs/tamper-drill.md');
  const table = `<!-- drill -->\n\n> ${tamperSummary(report)}\n\n${tamperTable(report)}\n\n<!-- /drill -->`;
  writeFileSync(
    page,
    readFileSync(page, 'utf8').replace(/<!-- drill -->[^]*<!-- \/drill -->/, () => table),
  );
}
const lines = report.seen.map(({ name, noticed, says, refused }) =>
  refused === null
    ? `${noticed.both ? '✓' : '✗'} ${name}: ${says ?? 'unnoticed'}`
    : `· ${name}: not possible there (${refused.slice(0, 80)})`,
);
process.stdout.write(`${lines.join('\n')}\n${tamperSummary(report)}\n`);
process.exit(report.untouched === 0 && report.seen.every(({ noticed }) => noticed.both) ? 0 : 1);
