import { didYouMean } from './nearest.ts';
import type { SectionDocument } from './options/section.ts';
import type { PolicySource } from './source-map.ts';
import type { Problem } from './types.ts';

/** A section and where it is written. */
export interface PlacedSection {
  readonly document: SectionDocument;
  readonly source: PolicySource;
  readonly index: number;
}

/** Higher than any prefix, which scores by its length. */
const exactWorkspace = 1_000_000;

/**
 * How specifically a section matches: workspace by name, then by its longest prefix, then provider, then neither. Null if it does not
 * match.
 */
function fit({ match }: SectionDocument, workspace: string, provider: string): number | null {
  if (match?.provider !== undefined && !match.provider.includes(provider)) return null;
  let best: number | null = match?.workspace === undefined ? 0 : null;
  for (const pattern of match?.workspace ?? []) {
    const score =
      pattern === workspace
        ? exactWorkspace
        : pattern.endsWith('*') && workspace.startsWith(pattern.slice(0, -1))
          ? (pattern.length - 1) * 2
          : null;
    if (score !== null && (best === null || score > best)) best = score;
  }
  return best === null ? null : best + (match?.provider === undefined ? 0 : 1);
}

/** Returns a lookup of the section for a workspace and a provider; among equals the first written wins. */
export function sectionFinder(sections: readonly SectionDocument[]): (workspace: string, provider: string) => SectionDocument | null {
  return (workspace, provider) => {
    let found: SectionDocument | null = null;
    let best = -1;
    for (const section of sections) {
      const score = fit(section, workspace, provider);
      if (score !== null && score > best) {
        best = score;
        found = section;
      }
    }
    return found;
  };
}

/** Reports providers in a section's match that do not exist, and patterns that cannot work as written. */
export function checkMatch({ document, source, index }: PlacedSection, providers: ReadonlyMap<string, unknown>, problems: Problem[]): void {
  for (const [at, name] of (document.match?.provider ?? []).entries()) {
    if (providers.has(name)) continue;
    problems.push(
      source.problem(
        'error',
        'unknown-provider',
        ['sections', index, 'match', 'provider', at],
        `there is no provider ${name}`,
        didYouMean(name, providers.keys(), `Known: ${[...providers.keys()].join(', ')}.`),
      ),
    );
  }
  for (const [at, pattern] of (document.match?.workspace ?? []).entries()) {
    if (!pattern.slice(0, -1).includes('*')) continue;
    problems.push(
      source.problem(
        'error',
        'unreachable',
        ['sections', index, 'match', 'workspace', at],
        `${pattern} matches no workspace: * stands for the rest only at the end`,
        'Write a prefix and *, or the names.',
      ),
    );
  }
}

/** Reports sections that are never used because earlier ones cover all their workspaces and providers. */
export function checkCovered(sections: readonly PlacedSection[], problems: Problem[]): void {
  const taken = new Map<string, string>();
  for (const { document, source, index } of sections) {
    const pairs = (document.match?.workspace ?? ['*']).flatMap((workspace) =>
      (document.match?.provider ?? ['']).map((provider) => `${workspace}\n${provider}`),
    );
    const earlier = pairs.map((pair) => taken.get(pair));
    if (earlier.every((name) => name !== undefined)) {
      problems.push(
        source.problem(
          'error',
          'unreachable',
          ['sections', index],
          `section ${document.name} is never used: ${[...new Set(earlier)].join(' and ')} before it match the same requests`,
          'Join them, or make the match narrower.',
        ),
      );
    }
    for (const pair of pairs) if (!taken.has(pair)) taken.set(pair, document.name);
  }
}

/** Warns where `failClosed` holds only while Sluice runs: Envoy, which answers for it then, knows providers and no workspaces. */
export function checkClosed(
  sections: readonly PlacedSection[],
  providers: readonly string[],
  isClosed: (provider: string) => boolean,
  problems: Problem[],
): void {
  for (const { document, source, index } of sections) {
    if (document.failClosed !== true || document.match?.workspace === undefined) continue;
    const open = (document.match.provider ?? providers).filter((provider) => !isClosed(provider));
    if (open.length === 0) continue;
    problems.push(
      source.problem(
        'warning',
        'open-without-sluice',
        ['sections', index, 'failClosed'],
        `section ${document.name} is failClosed for workspaces, which Envoy does not know: while no Sluice answers, their requests to ${open.join(', ')} pass`,
        'Set failClosed in the defaults, or in a section of the provider alone; or give these workspaces a gateway of their own.',
      ),
    );
  }
}
