import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const home = mkdtempSync(join(tmpdir(), 'sluice-test-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const status = (...args: string[]): Promise<unknown> =>
  promisify(execFile)(process.execPath, [fileURLToPath(new URL('./index.ts', import.meta.url)), 'status', ...args], {
    env: { ...process.env, KUBECONFIG: '', HOME: home },
  });

it.skipIf(existsSync('/var/run/secrets/kubernetes.io/serviceaccount'))(
  'without a cluster it says so, and what will do instead',
  async () => {
    await expect(status()).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^SLUICE_KUBERNETES: no cluster is configured\. .* --admin 127\.0\.0\.1:9901\.\n$/) as string,
    });
  },
);

it('takes an address as host:port, and says why it is silent', async () => {
  await expect(status('--admin', '127.0.0.1:5')).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringContaining(
      '! 127.0.0.1:5 did not answer, its figures are in no sum: nothing listens there (connection refused)',
    ) as string,
  });
  await expect(status('--admin', 'http://')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^SLUICE_CLI_USAGE --admin: http:\/\/ is no address\. /) as string,
  });
});
