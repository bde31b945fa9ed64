import { limits } from '../lib/limits.ts';
import type { Overlay } from './experiments.ts';
import { sectionFinder, type PlacedSection } from './match.ts';
import type { SectionDocument } from './options/section.ts';
import type { SectionCompiler } from './section.ts';
import type { PolicySource } from './source-map.ts';
import type { PolicySection, PolicySnapshot, Provider } from './types.ts';

/** A policy's compiled sections. */
export interface SectionTable {
  readonly all: readonly PolicySection[];
  /** The most specific section for a workspace and a provider of the policy. */
  readonly of: (workspace: string, provider: string) => PolicySection;
}

/** What the sections of a policy are compiled from. */
interface Sections {
  readonly compiler: SectionCompiler;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly sections: readonly PlacedSection[];
  readonly defaultsSource: PolicySource;
}

/**
 * Compiles each section for every provider that it can apply to, so that mistakes are found now and not by a request. Yields between
 * sections.
 */
export function* sectionTable(
  { compiler, providers, sections, defaultsSource }: Sections,
  overlay?: Overlay,
): Generator<undefined, SectionTable> {
  const made = new Map<string, PolicySection>();
  const global: SectionDocument = { name: 'defaults' };
  for (const provider of providers.values()) {
    made.set(`\n${provider.name}`, compiler.compile(global, defaultsSource, null, provider, overlay));
    for (const { document, source, index } of sections) {
      if (document.match?.provider !== undefined && !document.match.provider.includes(provider.name)) continue;
      made.set(`${document.name}\n${provider.name}`, compiler.compile(document, source, index, provider, overlay));
      yield;
    }
  }
  const find = sectionFinder(sections.map(({ document }) => document));
  return { all: [...made.values()], of: (workspace, provider) => made.get(`${find(workspace, provider)?.name ?? ''}\n${provider}`)! };
}

/** The table's lookup, which remembers what it found. */
export function rememberedSections(table: SectionTable): PolicySnapshot['section'] {
  const cache = new Map<string, PolicySection>();
  // Most requests are for the same as the one before.
  const last = { workspace: '', provider: '', section: null as PolicySection | null };
  return (workspace, provider) => {
    if (last.section !== null && workspace === last.workspace && provider === last.provider) return last.section;
    const key = `${workspace}\n${provider}`;
    const section = cache.get(key) ?? table.of(workspace, provider);
    // Bounded, because callers can invent workspace names.
    if (cache.size < limits.labelValues * 10) cache.set(key, section);
    last.workspace = workspace;
    last.provider = provider;
    return (last.section = section);
  };
}

type SectionFacts = Pick<
  PolicySnapshot,
  'hasChains' | 'hasMasks' | 'asksRouter' | 'comparesModels' | 'keyFiles' | 'hasClosedSections' | 'withholds' | 'tierTables'
>;

/** What holds in any section of the policy. */
export function sectionFacts(all: readonly PolicySection[]): SectionFacts {
  const enabled = all.filter(({ mode }) => mode === 'enabled');
  const routing = all.filter(({ mode, routedTiers }) => mode !== 'off' && routedTiers.size > 0);
  return {
    hasChains: all.some(({ fallback }) => fallback !== null),
    hasMasks: enabled.some(({ masks }) => masks !== null),
    asksRouter: all.some(({ learned }) => learned !== null),
    comparesModels: all.some(({ models }) => models !== null),
    keyFiles: [...new Set(all.flatMap(({ keys }) => [...keys.values()].flat()))],
    hasClosedSections: enabled.some(
      ({ failClosed, sensitivity, credentials }) => failClosed || sensitivity.length > 0 || credentials === 'gateway',
    ),
    withholds: enabled.some(
      ({ sensitivity, overrides, rules }) => sensitivity.length > 0 || [...overrides, ...rules].some(({ then }) => then.kind === 'block'),
    ),
    tierTables: new Map(routing.map(({ name, classifier }) => [name, classifier.thresholds])),
  };
}
