import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { sluice } from './testing/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-check-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('render envoy --check says once what is wrong in many places, and where else', async () => {
  const { stdout: whole } = await sluice(['render', 'envoy']);
  const file = join(folder, 'envoy.yaml');
  writeFileSync(file, whole.replaceAll(/^ *message_timeout: .*\n/gm, ''));
  const { stdout, code } = await sluice(['render', 'envoy', '--check', file]);
  expect(code).toBe(1);
  const told = stdout.match(
    /^ {4}Envoy waits less for Sluice than an attempt may take .*\n {4}→ Set message_timeout: 5s\.\n {4}also at (.*)$/m,
  );
  const others = told![1]!.split(', ');
  expect(others.length).toBeGreaterThan(5);
  for (const other of others) expect(other).toMatch(/^line \d+$/);
  expect(stdout.match(/→ Set message_timeout: 5s\./g)).toHaveLength(1);
  const { stdout: json } = await sluice(['render', 'envoy', '--check', file, '--json']);
  const { findings } = JSON.parse(json) as { readonly findings: readonly { readonly fix: string }[] };
  expect(findings.filter(({ fix }) => fix === 'Set message_timeout: 5s.')).toHaveLength(others.length + 1);
});

it('render envoy --check takes the limit of bodies from the routes, and else from the connection', async () => {
  const { stdout: whole } = await sluice(['render', 'envoy', '--memory', '512Mi']);
  const file = join(folder, 'small.yaml');
  const check = async (text: string): Promise<string> => {
    writeFileSync(file, text);
    return (await sluice(['render', 'envoy', '--check', file])).stdout;
  };
  expect(await check(whole)).not.toContain('pass undecided or get 413');
  const without = await check(whole.replaceAll(/^ *request_body_buffer_limit: .*\n/gm, ''));
  expect(without).toContain('requests above 1024 KiB pass undecided or get 413');
  // What it says to do is what the whole config has: the connection's own limit would not be enough.
  expect(/→ Set (.*) in every virtual host\./.exec(without)?.[1]).toBe(/request_body_buffer_limit: \d+/.exec(whole)![0]);
});
