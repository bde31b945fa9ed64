import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../processes.ts';

const git = (...args: readonly string[]): string =>
  execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** The short name of a commit; `.` is the one that this checkout is at. */
export const shortName = (commit: string): string => git('rev-parse', '--short', commit === '.' ? 'HEAD' : commit);

/** A commit in words; `.` is this checkout as it is. */
export const named = (commit: string): string =>
  commit === '.' ? `${shortName(commit)}, as it lies here` : git('log', '-1', '--format=%h %s', commit);

/** Commits in folders of their own, with their packages. */
export class Checkouts {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-compare-'));
  readonly #trees: string[] = [];

  /** The folder of a commit; `.` is this checkout as it is. */
  of(commit: string): string {
    if (commit === '.') return root;
    const tree = join(this.#folder, `tree-${this.#trees.length}`);
    git('worktree', 'add', '--detach', tree, commit);
    this.#trees.push(tree);
    const lock = (of: string): string => readFileSync(join(of, 'package-lock.json'), 'utf8');
    if (lock(tree) === lock(root)) symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    else
      execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'], {
        cwd: tree,
        stdio: ['ignore', 2, 2],
      });
    return tree;
  }

  remove(): void {
    for (const tree of this.#trees) git('worktree', 'remove', '--force', tree);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
