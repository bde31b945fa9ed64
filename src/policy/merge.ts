import type { CatalogOverrides } from '../catalog/index.ts';
import type { LoadedFile } from './load.ts';
import type { PlacedSection } from './match.ts';
import type { ProviderDocument } from './options/providers.ts';
import { checkProviders } from './provider-checks.ts';
import type { Problem } from './types.ts';

/** What a policy's files say together. */
export interface MergedFiles {
  readonly providers: Readonly<Record<string, ProviderDocument>>;
  readonly overrides: CatalogOverrides;
  /** The files that have `workspaces` and `defaults`; null if none has. */
  readonly workspacesAt: LoadedFile | null;
  readonly defaultsAt: LoadedFile | null;
  readonly sections: readonly PlacedSection[];
}

/** Keys of a policy for one workspace and provider. */
const partKeys: ReadonlySet<string> = new Set(['version', 'defaults', 'sections']);

/** Merges maps and appends sections; reports what is written twice. `part`: the files may contain only `defaults` and `sections`. */
export function mergeFiles(loaded: readonly LoadedFile[], part: boolean, problems: Problem[]): MergedFiles {
  const providers: Record<string, ProviderDocument> = {};
  const overrides: Record<string, CatalogOverrides[string]> = {};
  for (const entry of loaded) {
    checkProviders(entry, providers, problems);
    if (part) checkPart(entry, problems);
    Object.assign(providers, entry.document.providers);
    addOverrides(overrides, entry, problems);
  }
  return {
    providers,
    overrides,
    workspacesAt: fileWith('workspaces', loaded, problems),
    defaultsAt: fileWith('defaults', loaded, problems),
    sections: placedSections(loaded, problems),
  };
}

function checkPart({ source, document }: LoadedFile, problems: Problem[]): void {
  for (const key of Object.keys(document)) {
    if (partKeys.has(key)) continue;
    const message = `${key} may not stand in the policy of one workspace and provider`;
    problems.push(source.problem('error', 'not-in-part', [key], message, 'Write it into the policy that this one belongs to.'));
  }
}

function addOverrides(overrides: Record<string, CatalogOverrides[string]>, { source, document }: LoadedFile, problems: Problem[]): void {
  for (const [provider, models] of Object.entries(document.catalog?.overrides ?? {})) {
    for (const model of Object.keys(models)) {
      if (!Object.hasOwn(overrides[provider] ?? {}, model)) continue;
      const path = ['catalog', 'overrides', provider, model];
      problems.push(source.problem('error', 'twice', path, `${model} is overridden in another file too`, 'Keep one of them.'));
    }
    overrides[provider] = { ...overrides[provider], ...models };
  }
}

/** The last file with a key that only one may have; null if none has it. */
export function fileWith(
  key: 'workspaces' | 'defaults' | 'rollout',
  loaded: readonly LoadedFile[],
  problems: Problem[],
): LoadedFile | null {
  const files = loaded.filter(({ document }) => document[key] !== undefined);
  for (const { source } of files.slice(1))
    problems.push(source.problem('error', 'twice', [key], `${key} is written down in another file too`, 'Keep one of them.'));
  return files.at(-1) ?? null;
}

function placedSections(loaded: readonly LoadedFile[], problems: Problem[]): PlacedSection[] {
  const names = new Set<string>();
  return loaded.flatMap(({ source, document }) =>
    (document.sections ?? []).map((section, index): PlacedSection => {
      if (names.has(section.name)) {
        const message = `there is another section called ${section.name}`;
        problems.push(source.problem('error', 'twice', ['sections', index, 'name'], message, 'Give each section its own name.'));
      }
      names.add(section.name);
      return { document: section, source, index };
    }),
  );
}
