import { spawnSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'sluice-serve-'));
afterAll(() => rmSync(folder, { recursive: true }));

const main = join(import.meta.dirname, 'index.ts');
const serve = (...flags: string[]) =>
  spawnSync(
    process.execPath,
    [main, 'serve', '--ledger', 'off', '--budgets', 'off', '--admin', '127.0.0.1:0', '--listen', '127.0.0.1:0', ...flags],
    { encoding: 'utf8', timeout: 30_000 },
  );

it('ends with code 1 and one sentence when it cannot listen', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const file = join(folder, 'file');
  writeFileSync(file, 'mine');
  const port = (taken.address() as AddressInfo).port;
  for (const flags of [
    ['--listen', `unix:${folder}/none/s.sock`],
    ['--listen', `unix:${folder}/${'long'.repeat(30)}`],
    ['--listen', '127.0.0.1'],
    ['--admin', 'abc'],
    ['--listen', '127.0.0.1:99999'],
    ['--listen', `127.0.0.1:${port}`],
    ['--admin', `127.0.0.1:${port}`],
    ['--metrics', `127.0.0.1:${port}`],
    ['--listen', 'no..name:1'],
    ['--listen', `unix:${folder}`],
    ['--listen', `unix:${file}`],
    ['--log', folder],
  ]) {
    const { status, stdout, stderr } = serve(...flags);
    expect([status, stderr.trim().split('\n').length], `${flags.join(' ')}: ${stderr}`).toEqual([1, 1]);
    expect(stderr).toMatch(/^SLUICE_(LISTEN|FILE_UNWRITABLE) /);
    // Nothing was opened that would have said something.
    expect(stdout, flags.join(' ')).toBe('');
  }
  expect(readFileSync(file, 'utf8')).toBe('mine');
  taken.close();
});

it('starts no workers where they cannot share an address or the first one cannot start, and says why', () => {
  const tcp = serve('--workers', '2');
  expect([tcp.status, tcp.stderr]).toEqual([
    1,
    expect.stringContaining('SLUICE_CLI_USAGE --workers: several workers share a Unix socket by'),
  ]);
  const policy = serve('--workers', '2', '--listen', `unix:${folder}/w.sock`, '--policy', `${folder}/none`, '--policy-kept', 'off');
  expect([policy.status, policy.stdout]).toEqual([1, '']);
  expect(policy.stderr.trim().split('\n')).toEqual([
    expect.stringContaining('SLUICE_FILE_UNREADABLE'),
    expect.stringContaining('SLUICE_NOT_STARTED worker 0: it ended before it was ready'),
  ]);
});
