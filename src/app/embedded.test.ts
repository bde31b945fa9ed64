import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { freePorts } from '../demo/stack.ts';
import type { SelfFacts } from '../doctor/types.ts';

it('without a policy it decides in shadow mode, and says so: log, metric, checks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-embedded-'));
  const [port] = await freePorts(1);
  const log = join(folder, 'log.jsonl');
  const entry = fileURLToPath(new URL('../cli/index.ts', import.meta.url));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== 'SLUICE_POLICY'));
  const child = spawn(
    process.execPath,
    [
      entry,
      'serve',
      '--listen',
      `unix:${join(folder, 's.sock')}`,
      '--admin',
      `127.0.0.1:${port!}`,
      '--log',
      log,
      '--ledger',
      'off',
      '--budgets',
      'off',
    ],
    { stdio: 'ignore', env },
  );
  try {
    const url = `http://127.0.0.1:${port!}`;
    await expect
      .poll(
        () =>
          fetch(`${url}/readyz`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 60_000 },
      )
      .toBe(200);
    // Lines of the log are written in the background.
    await expect
      .poll(() => readFileSync(log, 'utf8'), { timeout: 10_000 })
      .toMatch(/"level":(?:40|"warn").*no policy was given: the one that comes with Sluice decides in shadow mode/);
    expect(await fetch(`${url}/metrics`).then((response) => response.text())).toMatch(/^llm_proxy_policy_embedded 1$/m);
    const { policy } = (await fetch(`${url}/checks`).then((response) => response.json())) as SelfFacts;
    expect(policy.embedded).toBe(true);
    expect([...new Set(Object.values(policy.modes))]).toEqual(['shadow']);
  } finally {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true });
  }
});
