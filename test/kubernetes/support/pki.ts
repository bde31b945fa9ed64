import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `openssl ca` asks of a configuration; `openssl x509` cannot be told from when a certificate is valid. */
const config = (folder: string): string => `[ca]
default_ca = here
[here]
database = ${join(folder, 'issued.txt')}
new_certs_dir = ${folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
preserve = yes
[any]
organizationName = optional
commonName = supplied
`;

/** Valid by every clock: those of the two sides differ in a run with a moved one (`npm test -- --clock`). */
const always = ['-startdate', '19700101000000Z', '-enddate', '20900101000000Z'];

/** A certificate authority in a folder, and certificates of it, by openssl. */
export class TestAuthority {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    writeFileSync(this.path('openssl.cnf'), config(folder));
    writeFileSync(this.path('issued.txt'), '');
    this.key('ca');
    this.#sign('ca', '/CN=test-ca', 'basicConstraints=critical,CA:true\nsubjectKeyIdentifier=hash\n', ['-selfsign']);
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
    const alternatives = names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`;
    this.#sign(name, subject, `${alternatives}extendedKeyUsage=${usage}\n`, ['-cert', this.path('ca.crt')]);
  }

  /** Writes the certificate of a key that is there. */
  #sign(name: string, subject: string, extensions: string, by: readonly string[]): void {
    const [request, extended] = [this.path(`${name}.csr`), this.path(`${name}.ext`)];
    writeFileSync(extended, extensions);
    this.#openssl('req', '-new', '-key', this.path(`${name}.key`), '-subj', subject, '-out', request);
    const signer = ['-config', this.path('openssl.cnf'), '-keyfile', this.path('ca.key'), ...by];
    const files = ['-in', request, '-extfile', extended, '-out', this.path(`${name}.crt`)];
    this.#openssl('ca', '-batch', '-notext', ...signer, ...files, ...always);
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}
