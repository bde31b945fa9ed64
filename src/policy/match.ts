import { didYouMean } from './nearest.ts';
import type { SectionDocument } from './schema.ts';
import type { SourceFile } from './source-map.ts';
import type { Problem } from './types.ts';

/** A section and where it is written. */
export interface PlacedSection {
  readonly document: SectionDocument;
  readonly source: SourceFile;
  readonly index: number;
}

/** Above every prefix, whose length counts. */
const exactWorkspace = 1_000_000;

/**
 * How closely a section's match fits: a workspace by name, then by its longest prefix, then a provider, then neither.
 * Null when it does not fit.
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

/** Answers which section is for a workspace and a provider; the first written wins among equals. */
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

/** Says which providers of a section's match do not exist, and which patterns can never mean what they say. */
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

/** A section whose every workspace and provider is taken by earlier ones is never used. */
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
