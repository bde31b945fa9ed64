import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { sluice, type CommandResult } from './testing/run.ts';

const home = mkdtempSync(join(tmpdir(), 'sluice-test-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const status = (...args: string[]): Promise<CommandResult> => sluice(['status', ...args], { env: { KUBECONFIG: '', HOME: home } });

it.skipIf(existsSync('/var/run/secrets/kubernetes.io/serviceaccount'))(
  'without a cluster it says so, and what will do instead',
  async () => {
    expect(await status()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^SLUICE_KUBERNETES: no cluster is configured\. .* --admin 127\.0\.0\.1:9901\.\n$/) as string,
    });
  },
);

it('takes an address as host:port, and says why it is silent', async () => {
  expect(await status('--admin', '127.0.0.1:5')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(
      '! 127.0.0.1:5 did not answer, its figures are in no sum: nothing listens there (connection refused)',
    ) as string,
  });
  expect(await status('--admin', 'http://')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^SLUICE_CLI_USAGE --admin: http:\/\/ is no address\. /) as string,
  });
});
