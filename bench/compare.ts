import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { betweenCheckouts } from './compare/checkouts.ts';
import { betweenResults } from './compare/results.ts';
import { root } from './processes.ts';
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

const git = (...args: readonly string[]): string =>
  execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
const folder = mkdtempSync(join(tmpdir(), 'sluice-compare-'));
const trees: string[] = [];

/** A commit in a folder of its own, with its packages; `.` is this checkout as it is. */
function checkout(commit: string): string {
  if (commit === '.') return root;
  const tree = join(folder, `tree-${trees.length}`);
  git('worktree', 'add', '--detach', tree, commit);
  trees.push(tree);
  const lock = (of: string): string => readFileSync(join(of, 'package-lock.json'), 'utf8');
  if (lock(tree) === lock(root)) symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  else
    execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'], { cwd: tree, stdio: ['ignore', 2, 2] });
  return tree;
}

const result = (file: string): Record<string, Taken> => JSON.parse(readFileSync(file, 'utf8')) as Record<string, Taken>;
const named = (commit: string): string =>
  commit === '.' ? `${git('rev-parse', '--short', 'HEAD')}, as it lies here` : git('log', '-1', '--format=%h %s', commit);

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
    const table = await betweenCheckouts(checkout(before), checkout(after), options);
    process.stdout.write(
      `before: ${named(before)}\nafter: ${named(after)}\n${options.rounds} rounds of ${options.seconds} s in turns; median (lowest–highest), ratios within rounds\n\n${tableText(table)}\n`,
    );
  }
} finally {
  for (const tree of trees) git('worktree', 'remove', '--force', tree);
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
