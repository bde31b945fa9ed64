import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { clock } from './endurance/clock.ts';
import { disk } from './endurance/disk.ts';
import { edits } from './endurance/edits.ts';
import { flaps } from './endurance/flaps.ts';
import { kill } from './endurance/kill.ts';
import { largeBodies, largeBodiesInSidecar } from './endurance/large-bodies.ts';
import { largeEdits } from './endurance/large-edits.ts';
import { loris } from './endurance/loris.ts';
import { overload } from './endurance/overload.ts';
import { pause } from './endurance/pause.ts';
import { soak } from './endurance/soak.ts';
import type { DrillResult } from './endurance/types.ts';

/** Endurance drills and their rules. Usage: npm run drill -- endurance [NAME…] [--seconds N] [--scale 0.1] [--json FILE] */
const drills = [kill, pause, disk, clock, edits, largeEdits, flaps, loris, overload, largeBodies, largeBodiesInSidecar, soak];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string' }, scale: { type: 'string', default: '1' }, json: { type: 'string' } },
});
const unknown = positionals.filter((name) => !drills.some((drill) => drill.name === name));
if (unknown.length > 0) {
  process.stderr.write(`no drill is called ${unknown.join(', ')}; there are ${drills.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const results: DrillResult[] = [];
for (const drill of drills.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
  const say = (line: string): void => void process.stderr.write(`· ${drill.name}: ${line}\n`);
  say('begins');
  const result = await drill
    .run({ seconds: values.seconds === undefined ? null : Number(values.seconds), scale: Number(values.scale), say })
    .catch((error: unknown) => broken(drill.name, error));
  results.push(result);
  process.stdout.write(`${markdown(result)}\n`);
}

const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Linux ${release()}, Node ${process.version}, ${new Date().toISOString().slice(0, 16)}, load average ${loadavg()[2]!.toFixed(1)}`;
const failed = results.flatMap(({ checks }) => checks).filter(({ ok }) => !ok).length;
process.stdout.write(`${machine}\n${failed === 0 ? 'All that was checked holds.' : `${failed} of what was checked does not hold.`}\n`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, results }, null, 1)}\n`);
process.exit(failed === 0 ? 0 : 1);

/** A drill that could not run counts as failed. */
function broken(name: string, error: unknown): DrillResult {
  return {
    name,
    did: 'It could not be carried out',
    checks: [
      {
        what: 'the drill',
        seen: error instanceof Error ? error.message.replaceAll(/\s+/g, ' ') : String(error),
        rule: 'runs',
        ok: false,
        timing: false,
      },
    ],
    facts: {},
    skipped: null,
  };
}

function markdown({ name, did, checks, facts, skipped }: DrillResult): string {
  if (skipped !== null) return `### ${name}\n\nNot run: ${skipped}.\n`;
  const rows = checks.map(({ what, seen, rule, ok }) => `| ${what} | ${seen} | ${rule} | ${ok ? 'holds' : '**does not hold**'} |`);
  const others = Object.entries(facts).map(([what, seen]) => `| ${what} | ${seen} | | |`);
  return `### ${name}\n\n${did}.\n\n| | seen | has to be | |\n|---|---|---|---|\n${[...rows, ...others].join('\n')}\n`;
}
