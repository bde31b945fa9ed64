import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { requireEnvoy } from '../../../src/envoy/binary.ts';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** Images as archives in a folder, built as docs/image.md says. */
export class TestImages {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The file system of Sluice's image, from nothing. */
  async rootfs(name: string): Promise<string> {
    const to = join(this.#folder, name);
    await run('sh', [join(repository, 'image/rootfs.sh'), to], { env: { ...process.env, PATH: `${repository}node_modules/.bin:${process.env['PATH'] ?? ''}` } });
    return to;
  }

  /** An archive of a file system. */
  async pack(image: string, rootfs: string, file: string, ...entrypoint: readonly string[]): Promise<string> {
    const archive = join(this.#folder, file);
    await run('sh', [join(repository, 'image/pack.sh'), image, rootfs, archive, ...entrypoint]);
    return archive;
  }

  sluice(rootfs: string, file = 'sluice.tar'): Promise<string> {
    return this.pack('docker.io/library/sluice:0.1.0', rootfs, file, '/usr/local/bin/node', '/app/src/cli/index.ts');
  }

  /** localhost/app:test: what a team runs, the same Node with OpenAI's SDK and no Sluice. `script` is what it does. */
  app(rootfs: string, script: string): Promise<string> {
    const root = join(this.#folder, 'app');
    for (const part of ['usr', 'etc', 'lib', 'lib64', 'tmp']) cpSync(join(rootfs, part), join(root, part), { recursive: true });
    mkdirSync(join(root, 'app'));
    writeFileSync(join(root, 'app/main.mjs'), script);
    cpSync(join(repository, 'node_modules/openai'), join(root, 'app/node_modules/openai'), { recursive: true });
    return this.pack('localhost/app:test', root, 'app.tar', '/usr/local/bin/node', '/app/main.mjs');
  }

  /** localhost/envoy:test, around the binary that the tests use. */
  async envoy(rootfs: string): Promise<string> {
    const root = join(this.#folder, 'envoy');
    const binary = realpathSync(await requireEnvoy());
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
    for (const part of ['etc', 'tmp']) cpSync(join(rootfs, part), join(root, part), { recursive: true });
    copyFileSync(binary, join(root, 'usr/local/bin/envoy'));
    const { stdout } = await run('ldd', [binary]);
    for (const library of stdout.match(/\/[^ ]+/g) ?? []) {
      mkdirSync(dirname(join(root, library)), { recursive: true });
      copyFileSync(library, join(root, library));
    }
    return this.pack('localhost/envoy:test', root, 'envoy.tar', '/usr/local/bin/envoy');
  }
}
