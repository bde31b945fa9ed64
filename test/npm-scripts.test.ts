import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { kinds, listText } from '../scripts/measures.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

it('every measure is a file, and every file in bench/ that runs by itself is one', () => {
  const files = Object.values(kinds).flatMap((measures) => Object.values(measures).map(({ file }) => file));
  for (const file of files) expect(existsSync(join(root, file)), file).toBe(true);
  // What says how it is used is run by people.
  const entries = globSync('bench/*.ts', { cwd: root }).filter((file) =>
    /Usage: npm run|Usage: `npm run|^\/\*\* `npm run/m.test(read(file)),
  );
  expect(entries.length).toBeGreaterThan(15);
  expect(entries.filter((file) => !files.includes(file) && file !== 'bench/peers.ts')).toEqual([]);
});

it('every `npm run` in docs, sources and scripts names a script and a measure that are there', () => {
  const files = globSync(['*.md', '.ci/run', 'docs/**/*.md', '{src,bench,scripts,test,helm,deploy,image}/**/*.{ts,sh,yaml}', '*.ts'], {
    cwd: root,
  });
  expect(files.length).toBeGreaterThan(500);
  const wrong = files.flatMap((file) =>
    [...read(file).matchAll(/npm run (?:--silent )?([a-z]+(?::[a-z]+)*)(?: -- ([a-z]+)\b)?/g)]
      .filter(([, script, measure]) => {
        if (scripts[script!] === undefined) return true;
        return (script === 'bench' || script === 'drill') && measure !== undefined && kinds[script][measure] === undefined;
      })
      .map(([text]) => `${file}: ${text}`),
  );
  expect(wrong).toEqual([]);
});

it('lint takes --fix alone', () => {
  const refused = spawnSync('sh', ['scripts/lint.sh', '--nothing'], { cwd: root, encoding: 'utf8' });
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain("no '--nothing'");
});

it('a newcomer finds no more than eleven scripts', () => {
  expect(Object.keys(scripts).length).toBeLessThanOrEqual(11);
});

it('without a name drills are listed; an unknown name is refused with the list', () => {
  const run = (...args: string[]): { status: number; stderr: string } => {
    try {
      execFileSync('sh', ['scripts/measure.sh', ...args], { cwd: root, stdio: 'pipe' });
      return { status: 0, stderr: '' };
    } catch (error) {
      const { status, stderr } = error as { status: number; stderr: Buffer };
      return { status, stderr: stderr.toString() };
    }
  };
  expect(run('drill').status).toBe(0);
  const refused = run('bench', 'nothing');
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain(listText('bench'));
});
