import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * All property tests with fresh seeds, again and again, until the time is up or one fails.
 * Usage: npm run drill -- fuzz [--minutes 60] [--factor 20] [--workers 2]
 */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, factor: { type: 'string', default: '20' }, workers: { type: 'string' } },
});
const files = globSync('{src,test}/**/*.test.ts').filter((file) => readFileSync(file, 'utf8').includes('fc.assert('));
const folder = mkdtempSync(join(tmpdir(), 'sluice-fuzz-'));
const report = join(folder, 'runs');
const workers = values.workers === undefined ? [] : [`--maxWorkers=${values.workers}`];

/** How often each file's properties were tried. */
function tried(): Map<string, number> {
  const sums = new Map<string, number>();
  for (const line of readFileSync(report, { encoding: 'utf8', flag: 'a+' }).split('\n')) {
    const [file, runs] = line.split('\t');
    if (runs !== undefined) sums.set(relative('.', file!), (sums.get(relative('.', file!)) ?? 0) + Number(runs));
  }
  return sums;
}

const until = Date.now() + Number(values.minutes) * 60_000;
let rounds = 0;
let failed = false;
while (!failed && (rounds === 0 || Date.now() < until)) {
  const env = { ...process.env, SLUICE_FUZZ_FACTOR: values.factor, SLUICE_FUZZ_REPORT: report };
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', ...files, '--testTimeout=1800000', '--reporter=dot', ...workers],
    { stdio: 'inherit', env },
  );
  failed = status !== 0;
  rounds++;
}
const sums = [...tried()].sort(([a], [b]) => a.localeCompare(b));
rmSync(folder, { recursive: true });
for (const [file, runs] of sums) process.stdout.write(`${String(runs).padStart(12)}  ${file}\n`);
process.stdout.write(
  `${sums.reduce((sum, [, runs]) => sum + runs, 0)} runs of properties in ${sums.length} files, ${rounds} rounds of ${values.factor} times the usual number: ${failed ? 'a property failed; its seed and smallest counterexample are above' : 'none failed'}\n`,
);
process.exit(failed ? 1 : 0);
