import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lookThrough, pages, stepsOf, walk } from '../scripts/walk-docs.ts';

it('a newcomer who does what README and docs say gets through', { timeout: 1_800_000 }, async () => {
  const said: string[] = [];
  const failure = await walk(pages(), (text) => said.push(text));
  expect(failure).toBeNull();
  expect(said.filter((text) => text.startsWith('✓')).length).toBeGreaterThan(90);
  // Pages whose commands, servers and questions of the API are all walked, but for those that need somebody else's server.
  for (const page of ['ledger', 'replay', 'budgets', 'logs', 'page'])
    expect(said.filter((text) => text.startsWith(`✓ docs/${page}.md`)).length, page).toBeGreaterThan(2);
});

it('the walk sees commands, and what is wrong with those that it does not run', () => {
  expect(stepsOf('README.md').map(({ text }) => text)).toContain('npm run demo');
  expect(stepsOf('docs/ledger.md')).toContainEqual(expect.objectContaining({ text: 'GET /decisions/{id}', within: 'text' }));
  expect(lookThrough(['npm', 'run', 'nothing'].join(' '))).toBe('there is no script nothing');
  expect(lookThrough('cp deploy/nothing.yaml x')).toBe('there is no deploy/nothing.yaml');
  expect(lookThrough('bin/sluice train rows.jsonl --speed 9')).toBe('train has no --speed');
  expect(lookThrough('bin/sluice ledger mend')).toBe('there is no command mend');
  expect(lookThrough('bin/sluice train rows.jsonl --out x')).toBeNull();
});

it('a walk that is killed leaves no server, and no folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'reaper-'));
  const sleepers: ChildProcess[] = [1, 2].map(() => spawn('sleep', ['600'], { stdio: 'ignore' }));
  const [server, stopped] = sleepers.map(({ pid }) => pid!);
  const walker = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { startReaper } from ${JSON.stringify(new URL('../scripts/reaper.ts', import.meta.url).href)};
       const reaper = startReaper(${JSON.stringify(folder)});
       reaper.watch(${server}, ${stopped}); reaper.forget(${stopped});
       console.log('there'); setInterval(() => undefined, 1000);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    await once(walker.stdout, 'data');
    const ended = once(sleepers[0]!, 'exit');
    walker.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    await expect.poll(() => existsSync(folder), { timeout: 30_000 }).toBe(false);
    expect(sleepers[1]!.exitCode ?? sleepers[1]!.signalCode).toBeNull();
  } finally {
    for (const child of [walker, ...sleepers]) child.kill('SIGKILL');
  }
});
