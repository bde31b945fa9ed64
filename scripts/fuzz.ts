import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** All property tests with fresh seeds, again and again, until the time is up or one fails. Usage: npm run fuzz -- [--minutes 60] [--factor 20] */
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' }, factor: { type: 'string', default: '20' } } });
const files = globSync('src/**/*.test.ts').filter((file) => readFileSync(file, 'utf8').includes('fc.assert('));
const until = Date.now() + Number(values.minutes) * 60_000;
let rounds = 0;
while (rounds === 0 || Date.now() < until) {
  const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...files, '--testTimeout=1800000', '--reporter=dot'], { stdio: 'inherit', env: { ...process.env, SLUICE_FUZZ_FACTOR: values.factor } });
  if (status !== 0) {
    process.stderr.write(`A property failed in round ${rounds + 1}; its seed and smallest counterexample are above.\n`);
    process.exit(1);
  }
  rounds++;
}
process.stdout.write(`${files.length} files of properties, ${rounds} rounds of ${values.factor} times the usual number of runs: none failed\n`);
