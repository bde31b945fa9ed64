import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An RSA key and a certificate signed with it, in PEM, as `openssl req` makes them. `more`: its further arguments. */
export function selfSigned(subject: string, more: readonly string[] = []): { readonly crt: string; readonly key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-openssl-'));
  const [key, crt] = [join(folder, 'key'), join(folder, 'crt')];
  try {
    const files = ['-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', crt];
    execFileSync('openssl', ['req', '-x509', ...files, '-subj', subject, ...more], { stdio: 'ignore' });
    return { crt: readFileSync(crt, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
