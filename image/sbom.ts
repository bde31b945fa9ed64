/** `node image/sbom.ts REPOSITORY [BUILT] > sbom.spdx.json`: the packages of a built program, bundled or installed beside it, as SPDX 2.3; without BUILT those that are installed in the repository. The same packages give the same bytes. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
}

const folder = process.argv[2] ?? '.';
const built = process.argv[3] ?? folder;
const bundled = new Set(
  existsSync(join(built, 'bundled.json')) ? (JSON.parse(readFileSync(join(built, 'bundled.json'), 'utf8')) as readonly string[]) : [],
);
const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const { packages } = read('package-lock.json') as { readonly packages: Readonly<Record<string, LockEntry>> };
const { name, version } = read('package.json') as { readonly name: string; readonly version: string };

const entries = Object.entries(packages)
  .filter(([path]) => path !== '' && (bundled.has(path) || existsSync(join(built, path, 'package.json'))))
  .map(([path, entry]) => ({ name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length), ...entry }));
const all = [{ name, version }, { name: 'node', version: process.versions.node, license: 'MIT' }, ...entries] as readonly (LockEntry & {
  readonly name: string;
})[];
const spdxId = (index: number): string => `SPDXRef-Package-${index}`;

const document = {
  spdxVersion: 'SPDX-2.3',
  dataLicense: 'CC0-1.0',
  SPDXID: 'SPDXRef-DOCUMENT',
  name: `${name}-${version}`,
  documentNamespace: `https://spdx.org/spdxdocs/${name}-${version}`,
  creationInfo: { created: '1970-01-01T00:00:00Z', creators: ['Tool: image/sbom.ts'] },
  documentDescribes: [spdxId(0)],
  packages: all.map((entry, index) => ({
    SPDXID: spdxId(index),
    name: entry.name,
    versionInfo: entry.version ?? 'NOASSERTION',
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseDeclared: entry.license ?? 'NOASSERTION',
    ...(index < 2
      ? {}
      : {
          externalRefs: [
            {
              referenceCategory: 'PACKAGE-MANAGER',
              referenceType: 'purl',
              referenceLocator: `pkg:npm/${entry.name.replace('@', '%40')}@${entry.version ?? ''}`,
            },
          ],
        }),
    ...(entry.integrity?.startsWith('sha512-') === true
      ? { checksums: [{ algorithm: 'SHA512', checksumValue: Buffer.from(entry.integrity.slice(7), 'base64').toString('hex') }] }
      : {}),
  })),
  relationships: all
    .slice(1)
    .map((_, index) => ({ spdxElementId: spdxId(0), relationshipType: 'DEPENDS_ON', relatedSpdxElement: spdxId(index + 1) })),
};
process.stdout.write(`${JSON.stringify(document, null, 1)}\n`);
