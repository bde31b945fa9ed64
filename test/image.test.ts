import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const repository = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(`${repository}${path}`, 'utf8');
const packageJson = JSON.parse(read('package.json')) as {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
};

it('the image has the Node that the project is developed on', () => {
  expect(/^ARG BASE=\S+\/node:([\d.]+)-/m.exec(read('Containerfile'))?.[1]).toBe(packageJson.devDependencies['node']);
});

it('the package takes files that exist, and every file that the program reads beside its code', () => {
  const assets = [...(/^const assets = \[([^\]]*)\];$/m.exec(read('scripts/build.ts'))?.[1] ?? '').matchAll(/'([^']+)'/g)].map(
    ([, path]) => path!,
  );
  expect(assets).toContain('models');
  expect(assets.filter((path) => !existsSync(`${repository}${path}`))).toEqual([]);
  const named = execFileSync(
    'grep',
    ['-rHoE', "new URL\\('\\.[^']+', import.meta.url\\)", 'src', '--include=*.ts', '--exclude=*.test.ts', '--exclude-dir=testing'],
    { cwd: repository, encoding: 'utf8' },
  );
  const files = named
    .trim()
    .split('\n')
    .map((line) => new URL(/'([^']+)'/.exec(line)![1]!, `file:///${line.slice(0, line.indexOf(':'))}`).pathname.slice(1));
  expect(files).toContain('models/text-1.model');
  // package.json is made; .tools is looked into in the repository alone; code is bundled.
  expect(
    files.filter(
      (file) =>
        !file.endsWith('.ts') &&
        file !== 'package.json' &&
        !file.startsWith('.tools/') &&
        !assets.some((asset) => `${file}/`.startsWith(`${asset}/`)),
    ),
  ).toEqual([]);
});

it('the list of packages names each dependency with its version and checksum, the same each time', () => {
  const make = (): string =>
    execFileSync(process.execPath, [`${repository}image/sbom.ts`, repository], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const text = make();
  expect(make()).toBe(text);
  const { packages } = JSON.parse(text) as {
    readonly packages: readonly {
      readonly name: string;
      readonly versionInfo: string;
      readonly checksums?: readonly { readonly checksumValue: string }[];
    }[];
  };
  for (const [name, version] of Object.entries(packageJson.dependencies)) {
    const found = packages.find((each) => each.name === name);
    expect([name, found?.versionInfo]).toEqual([name, version]);
    expect(found?.checksums?.[0]?.checksumValue).toMatch(/^[0-9a-f]{128}$/);
  }
});
