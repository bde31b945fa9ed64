import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { requireEnvoy } from '../../../src/attach/binary.ts';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** The release of OpenAI's SDK for Python that the tests put into a pod. */
const openaiForPython = '3.52.0';

/** Images as archives in a folder, built as docs/install.md says. */
export class TestImages {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The file system of Sluice's image, from nothing. */
  async rootfs(name: string): Promise<string> {
    const to = join(this.#folder, name);
    await run('sh', [join(repository, 'image/rootfs.sh'), to], {
      env: { ...process.env, PATH: `${repository}node_modules/.bin:${process.env['PATH'] ?? ''}` },
    });
    return to;
  }

  /** An archive of a file system. */
  async pack(image: string, rootfs: string, file: string, ...entrypoint: readonly string[]): Promise<string> {
    const archive = join(this.#folder, file);
    await run('sh', [join(repository, 'image/pack.sh'), image, rootfs, archive, ...entrypoint]);
    return archive;
  }

  sluice(rootfs: string, file = 'sluice.tar'): Promise<string> {
    return this.pack('docker.io/library/sluice:0.1.0', rootfs, file, '/usr/local/bin/node', '/app/sluice.cjs');
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

  /** localhost/python:test: the same in Python, with the interpreter of this machine and the SDK from PyPI. */
  async python(rootfs: string, script: string): Promise<string> {
    const root = join(this.#folder, 'python');
    for (const part of ['etc', 'tmp']) cpSync(join(rootfs, part), join(root, part), { recursive: true });
    const packages = join(root, 'app/packages');
    const environment = join(this.#folder, 'venv');
    await run('python3', ['-m', 'venv', environment]);
    const [{ stdout }] = await Promise.all([
      run('python3', ['-c', "import os, sys, sysconfig; print(os.path.realpath(sys.executable), sysconfig.get_path('stdlib'))"]),
      run(join(environment, 'bin/pip'), [
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '--target',
        packages,
        `openai==${openaiForPython}`,
      ]),
    ]);
    const [interpreter, library] = stdout.trim().split(' ') as [string, string];
    const needless = /(^|\/)(test|tests|site-packages|dist-packages|idlelib|tkinter|ensurepip|__pycache__|config-[^/]*)$/;
    cpSync(library, join(root, library), { recursive: true, filter: (path) => !needless.test(path) });
    writeFileSync(join(root, 'app/main.py'), script);
    copyInto(root, interpreter);
    const native = [
      interpreter,
      ...[join(root, library), packages].flatMap((folder) =>
        readdirSync(folder, { recursive: true, encoding: 'utf8' })
          .filter((name) => /\.so(\.|$)/.test(name))
          .map((name) => join(folder, name)),
      ),
    ];
    await copyLibraries(root, native);
    return this.pack('localhost/python:test', root, 'python.tar', interpreter, '/app/main.py');
  }

  /** An image around a static binary. */
  async binary(image: string, rootfs: string, binary: string): Promise<string> {
    const name = basename(binary);
    const root = join(this.#folder, name);
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
    for (const part of ['etc', 'tmp']) cpSync(join(rootfs, part), join(root, part), { recursive: true });
    copyFileSync(binary, join(root, 'usr/local/bin', name));
    return this.pack(image, root, `${name}.tar`, `/usr/local/bin/${name}`);
  }

  /** localhost/envoy:test, around the binary that the tests use. */
  async envoy(rootfs: string): Promise<string> {
    return this.program('localhost/envoy:test', rootfs, { from: realpathSync(await requireEnvoy()), at: '/usr/local/bin/envoy' });
  }

  /** An image around a program of this machine, with its libraries; `folders` are where they are here, without the files of `needless`. */
  async program(
    image: string,
    rootfs: string,
    {
      from,
      at,
      folders = [],
      needless = /^$/,
    }: { readonly from: string; readonly at: string; readonly folders?: readonly string[]; readonly needless?: RegExp },
  ): Promise<string> {
    const root = join(this.#folder, basename(at));
    for (const part of ['etc', 'tmp']) cpSync(join(rootfs, part), join(root, part), { recursive: true });
    mkdirSync(dirname(join(root, at)), { recursive: true });
    copyFileSync(from, join(root, at));
    for (const folder of folders)
      cpSync(folder, join(root, folder), { recursive: true, verbatimSymlinks: true, filter: (path) => !needless.test(path) });
    await copyLibraries(root, [from]);
    return this.pack(image, root, `${basename(at)}.tar`, at);
  }
}

/** A file of this machine at the same place below another root. */
function copyInto(root: string, file: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  copyFileSync(file, join(root, file));
}

/** The shared libraries of this machine that binaries need, and those that look up names. */
async function copyLibraries(root: string, binaries: readonly string[]): Promise<void> {
  const { stdout } = await run('ldd', binaries, { maxBuffer: 16 * 1024 * 1024 });
  const libraries = new Set(
    [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path]) => path!).filter((path) => !path.startsWith(root)),
  );
  const folder = dirname([...libraries].find((path) => path.includes('/libc.so')) ?? '');
  for (const name of ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'])
    if (existsSync(join(folder, name))) libraries.add(join(folder, name));
  for (const library of libraries) copyInto(root, library);
}
