import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate authority in a folder, and certificates of it, by openssl. */
export class TestAuthority {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    this.key('ca');
    this.#openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      this.path('ca.key'),
      '-sha256',
      '-days',
      '30',
      '-subj',
      '/CN=test-ca',
      '-out',
      this.path('ca.crt'),
    );
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  key(name: string): void {
    this.#openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', this.path(`${name}.key`));
  }

  /**
   * Writes NAME.key and NAME.crt. `names`: subject alternative names such as `DNS:localhost`; without any it is a client's, unless `usage`
   * says otherwise.
   */
  certify(name: string, subject: string, names: readonly string[] = [], usage = names.length === 0 ? 'clientAuth' : 'serverAuth'): void {
    this.key(name);
    this.#openssl('req', '-new', '-key', this.path(`${name}.key`), '-subj', subject, '-out', this.path(`${name}.csr`));
    writeFileSync(
      this.path(`${name}.ext`),
      `${names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`}extendedKeyUsage=${usage}\n`,
    );
    this.#openssl(
      'x509',
      '-req',
      '-in',
      this.path(`${name}.csr`),
      '-CA',
      this.path('ca.crt'),
      '-CAkey',
      this.path('ca.key'),
      '-CAcreateserial',
      '-days',
      '30',
      '-sha256',
      '-extfile',
      this.path(`${name}.ext`),
      '-out',
      this.path(`${name}.crt`),
    );
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}
