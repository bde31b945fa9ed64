import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { betweenCheckouts } from './compare/checkouts.ts';
import { Checkouts, named } from './compare/commit.ts';
import { betweenResults } from './compare/results.ts';
import { tableText, type Taken } from './report.ts';

/**
 * Before and after: two commits (or `.` for what lies here), measured in turns in one run; or two results of `npm run bench`.
 * Usage: npm run bench -- compare A [B] [--rounds 5] [--seconds 3] [--only "direct, 1 KB"]
 */
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' }, only: { type: 'string', default: '' } },
});
const [before, after = '.'] = positionals;
if (before === undefined || positionals.length > 2)
  throw new Error('usage: npm run bench -- compare A [B]; each a commit, or both results in JSON');

const checkouts = new Checkouts();

const result = (file: string): Record<string, Taken> => JSON.parse(readFileSync(file, 'utf8')) as Record<string, Taken>;
try {
  if (before.endsWith('.json') !== after.endsWith('.json')) throw new Error('compare two commits, or two results');
  if (before.endsWith('.json')) process.stdout.write(`${tableText(betweenResults(result(before), result(after)))}\n`);
  else {
    const options = {
      rounds: Number(flags.rounds),
      seconds: Number(flags.seconds),
      only: flags.only,
      progress: (what: string) => process.stderr.write(`· ${what}\n`),
    };
    const table = await betweenCheckouts(checkouts.of(before), checkouts.of(after), options);
    process.stdout.write(
      `before: ${named(before)}\nafter: ${named(after)}\n${options.rounds} rounds of ${options.seconds} s in turns; median (lowest–highest), ratios within rounds\n\n${tableText(table)}\n`,
    );
  }
} finally {
  checkouts.remove();
}
process.exit(0);
