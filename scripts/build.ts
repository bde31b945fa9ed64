/**
 * `node scripts/build.ts [--out FOLDER] [--no-code]`: the package that is published and that the image holds: bundles of the program and
 * of its threads,
 * minified, the code that V8 makes of them, and the files that they read. Nothing is stripped or compiled when it starts.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { rolldown, type Plugin } from 'rolldown';
import { recordCode } from './build/record.ts';

const { values: flags } = parseArgs({ options: { out: { type: 'string' }, 'no-code': { type: 'boolean', default: false } } });
const root = join(import.meta.dirname, '..');
const out = flags.out ?? join(root, 'dist');

/** Bundles by name: each thread's bundle is self-contained, so that V8's cached code for a file belongs to one thread. */
const bundles = {
  sluice: 'src/cli/index.ts',
  drain: 'src/cli/drain.ts',
  supervise: 'src/cli/supervise.ts',
  started: 'src/cli/started.ts',
  'ledger-worker': 'src/ledger/worker.ts',
  'body-worker': 'src/exchange/body-worker.ts',
  'policy-worker': 'src/policy/policy-worker.ts',
  'embedding-worker': 'src/classify/embedding/embedding-worker.ts',
  simulator: 'src/demo/simulator.ts',
} as const;
/** Files that start them, by the module that names them. */
const workers: readonly (readonly [string, string])[] = [
  [`new URL('./worker.ts', import.meta.url)`, 'ledger-worker.cjs'],
  [`new URL('./body-worker.ts', import.meta.url)`, 'body-worker.cjs'],
  [`new URL('./policy-worker.ts', import.meta.url)`, 'policy-worker.cjs'],
  [`new URL('./embedding-worker.ts', import.meta.url)`, 'embedding-worker.cjs'],
  [`new URL('../cli/index.ts', import.meta.url)`, 'sluice.cjs'],
];
/** Native code, which cannot be bundled: the package's only dependency. */
const native = ['better-sqlite3'];
/** What the program reads beside its code, by its place in the repository. */
const assets = [
  'LICENSE',
  'proto',
  'README.md',
  'docs/runbooks.md',
  'models',
  'schema',
  'src/policy/default-policy.yaml',
  'src/catalog/data',
  'src/admin/page',
  'src/demo/policy.yaml',
];
const chart = 'node_modules/chart.js/dist/chart.umd.min.js';
/** What packages read in `proto` two folders above their code, which is two folders above a bundle's too. */
const protos = ['node_modules/grpc-health-check/proto', 'node_modules/@grpc/reflection/build/proto'];

/** Modules keep their repository paths inside the package, because the files that they read have the same paths. */
function places(name: string): Plugin {
  const up = (path: string): string => `new URL(${JSON.stringify(`../../${path}`)}, require('node:url').pathToFileURL(__filename))`;
  return {
    name: 'places',
    transform(code, id) {
      const path = relative(root, id);
      if (!path.startsWith('src/') || !code.includes('import.meta')) return null;
      let changed = code;
      for (const [from, file] of workers) changed = changed.replaceAll(from, up(file));
      changed = changed
        .replaceAll(`import.meta.resolve('chart.js')`, `${up('vendor/chart.js')}.href`)
        .replaceAll('import.meta.filename', name === 'drain' ? 'process.argv[1]' : `''`);
      return changed.replaceAll('import.meta.url', `${up(path)}.href`);
    },
  };
}

/** Folders of packages that went into a bundle. */
const packages = new Set<string>();
const taken: Plugin = {
  name: 'taken',
  moduleParsed({ id }) {
    const folder = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
    if (folder !== undefined) packages.add(relative(root, folder));
  },
};

/** Escapes non-ASCII characters: otherwise V8 would store every character of the file in two bytes. */
const ascii = (code: string): string => code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

async function bundle(name: keyof typeof bundles): Promise<void> {
  const built = await rolldown({
    input: { [name]: join(root, bundles[name]) },
    platform: 'node',
    external: [...native, /^node:/],
    // Its ES modules ask for their parts by createRequire, which finds nothing beside a bundle: spans and records over gRPC were lost.
    resolve: {
      alias: { '@opentelemetry/otlp-grpc-exporter-base': join(root, 'node_modules/@opentelemetry/otlp-grpc-exporter-base/dist/index.cjs') },
    },
    plugins: [places(name), taken],
    logLevel: 'warn',
  });
  const { output } = await built.generate({
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    minify: true,
    keepNames: true,
    comments: false,
  });
  await built.close();
  const folder = join(out, 'code', name);
  mkdirSync(folder, { recursive: true });
  for (const file of output)
    if (file.type === 'chunk')
      writeFileSync(join(folder, file.fileName), `(function(exports,require,module,__filename,__dirname){${ascii(file.code)}\n})`);
  writeFileSync(join(out, `${name}.cjs`), `module.exports = require('./load.cjs').run('${name}');\n`);
}

function licences(): string {
  const texts = [...packages, 'node_modules/chart.js'].sort().map((path) => {
    const folder = join(root, path);
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      readonly name: string;
      readonly version: string;
      readonly license?: string;
    };
    const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)/i.test(each));
    return `${name} ${version} (${license ?? 'see below'})\n\n${file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

function writePackage(): void {
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly [key: string]: unknown;
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const { name, version, license, description } = own;
  const manifest = {
    name,
    version,
    license,
    description,
    bin: { sluice: 'bin/sluice' },
    engines: { node: '>=24' },
    dependencies: Object.fromEntries(native.map((each) => [each, own.dependencies[each]])),
  };
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(out, 'bundled.json'), `${JSON.stringify([...packages, 'node_modules/chart.js'].sort(), null, 1)}\n`);
  writeFileSync(join(out, 'THIRD-PARTY-LICENSES.txt'), licences());
  for (const asset of assets) cpSync(join(root, asset), join(out, asset), { recursive: true });
  mkdirSync(join(out, 'vendor'), { recursive: true });
  cpSync(join(root, chart), join(out, 'vendor/chart.umd.min.js'));
  for (const folder of protos) cpSync(join(root, folder), join(out, 'proto'), { recursive: true });
  mkdirSync(join(out, 'bin'), { recursive: true });
  cpSync(join(root, 'bin/sluice'), join(out, 'bin/sluice'));
  cpSync(join(root, 'scripts/build/load.cjs'), join(out, 'load.cjs'));
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
for (const name of Object.keys(bundles) as (keyof typeof bundles)[]) await bundle(name);
writePackage();
if (!flags['no-code']) await recordCode(out);
const missing = assets.filter((asset) => !existsSync(join(out, asset)));
if (missing.length > 0) throw new Error(`not in the package: ${missing.join(', ')}`);
process.stdout.write(`${relative(dirname(out), out)}: ${Object.keys(bundles).length} bundles of ${packages.size} packages\n`);
