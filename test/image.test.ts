import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const repository = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(`${repository}${path}`, 'utf8');
const packageJson = JSON.parse(read('package.json')) as { readonly version: string; readonly devDependencies: Readonly<Record<string, string>>; readonly dependencies: Readonly<Record<string, string>> };

it('the image has the Node that the project is developed on', () => {
  expect(/^ARG BASE=\S+\/node:([\d.]+)-/m.exec(read('Containerfile'))?.[1]).toBe(packageJson.devDependencies['node']);
});

it('the image takes folders that exist', () => {
  const parts = /^for part in ([^;]*); do/m.exec(read('image/rootfs.sh'))?.[1]?.split(' ') ?? [];
  expect(parts).toContain('src');
  expect(parts.filter((part) => !existsSync(`${repository}${part}`))).toEqual([]);
});

it('the image has every file that the program reads beside its code', () => {
  const read = execFileSync('grep', ['-rhoE', "new URL\\('(\\.\\./)+[^']+', import.meta.url\\)", `${repository}src`, '--include=*.ts', '--exclude=*.test.ts'], { encoding: 'utf8' });
  const folders = [...read.matchAll(/'(?:\.\.\/)+([^/']+)/g)].map(([, name]) => name!);
  expect(folders).toContain('models');
  const shipped = /^for part in ([^;]*); do/m.exec(readFileSync(`${repository}image/rootfs.sh`, 'utf8'))![1]!.split(' ');
  // package.json comes with the packages; .tools is looked into only where Envoy is started, which is not in the image.
  expect(folders.filter((name) => ![...shipped, 'package.json', '.tools', 'cli'].includes(name))).toEqual([]);
});

it('the list of packages names each dependency with its version and checksum, the same each time', () => {
  const make = (): string => execFileSync(process.execPath, [`${repository}image/sbom.ts`, repository], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const text = make();
  expect(make()).toBe(text);
  const { packages } = JSON.parse(text) as { readonly packages: readonly { readonly name: string; readonly versionInfo: string; readonly checksums?: readonly { readonly checksumValue: string }[] }[] };
  for (const [name, version] of Object.entries(packageJson.dependencies)) {
    const found = packages.find((each) => each.name === name);
    expect([name, found?.versionInfo]).toEqual([name, version]);
    expect(found?.checksums?.[0]?.checksumValue).toMatch(/^[0-9a-f]{128}$/);
  }
});
