/**
 * `node scripts/release.ts --out FOLDER [--push oci://registry/path] [--charts-only]`: what a release consists of: both charts as `helm
 * package` makes them, the image as an archive, its SBOM, and the sums of all. With `--push` the charts go to an OCI registry, to which
 * `helm registry login` has been done. HELM: another helm than the one on PATH. `--root`: another checkout. `--plain-http`: a registry
 * without TLS.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { messageOf } from '../src/lib/message-of.ts';

const charts = ['helm/sluice', 'helm/sluice-crds'] as const;

/** What is to be released, and what says otherwise, as sentences. */
export function checkedVersion(root: string): { readonly version: string; readonly problems: readonly string[] } {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');
  const version = (JSON.parse(read('package.json')) as { readonly version: string }).version;
  const [heading = 'none'] = [...read('CHANGELOG.md').matchAll(/^## (\S+)/gm)].map(([, name]) => name!);
  const problems = heading === version ? [] : [`The newest section of CHANGELOG.md is ${heading}, and package.json has ${version}.`];
  for (const chart of charts) {
    const text = read(`${chart}/Chart.yaml`);
    const { version: own, appVersion } = parse(text) as { readonly version: string; readonly appVersion: string };
    if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(own)) problems.push(`The version of ${chart} is not semantic: ${own}.`);
    if (appVersion !== version) problems.push(`The appVersion of ${chart} is ${appVersion}, and package.json has ${version}.`);
    for (const [, tag] of text.matchAll(/image: (?:\S+\/)?sluice:(\S+)/g))
      if (tag !== version) problems.push(`${chart}/Chart.yaml names the image sluice:${tag}, and package.json has ${version}.`);
  }
  return { version, problems };
}

function release(): void {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      push: { type: 'string' },
      root: { type: 'string', default: join(import.meta.dirname, '..') },
      'charts-only': { type: 'boolean', default: false },
      'plain-http': { type: 'boolean', default: false },
    },
  });
  const { out, push, root } = values;
  if (out === undefined) throw new Error('Say where: --out FOLDER.');
  const { version, problems } = checkedVersion(root);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const helm = process.env['HELM'] ?? 'helm';
  mkdirSync(out, { recursive: true });
  const before = new Set(readdirSync(out));
  if (before.size > 0) throw new Error(`${out} is not empty.`);
  for (const chart of charts) run(helm, 'package', chart, '--destination', out);
  const packages = readdirSync(out);
  if (!values['charts-only']) image(out, version, run);
  const sums = readdirSync(out)
    .sort()
    .map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(join(out, name)))
          .digest('hex')}  ${name}\n`,
    );
  writeFileSync(join(out, 'SHA256SUMS'), sums.join(''));
  if (push !== undefined)
    for (const name of packages) run(helm, 'push', join(out, name), push, ...(values['plain-http'] ? ['--plain-http'] : []));
  process.stdout.write(`${version}: ${sums.length} files in ${out}${push === undefined ? '' : `, ${packages.length} charts in ${push}`}\n`);
}

function image(out: string, version: string, run: (command: string, ...args: string[]) => string): void {
  const work = mkdtempSync(join(tmpdir(), 'sluice-release-'));
  try {
    const rootfs = join(work, 'rootfs');
    run('sh', 'image/rootfs.sh', rootfs);
    run(
      'sh',
      'image/pack.sh',
      `docker.io/library/sluice:${version}`,
      rootfs,
      join(out, `sluice-image-${version}.tar`),
      '/usr/local/bin/node',
      '/app/sluice.cjs',
    );
    copyFileSync(join(rootfs, 'app/sbom.spdx.json'), join(out, `sluice-image-${version}.spdx.json`));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  try {
    release();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(1);
  }
}
