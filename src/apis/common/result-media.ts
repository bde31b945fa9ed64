import type { Part, ResultPart } from './conversation.ts';

/** A user's turn: the results of tools, and what the user's message holds. */
interface Settled {
  readonly results: readonly ResultPart[];
  readonly rest: readonly Part[];
}

/**
 * Moves pictures, documents and sound out of the results of a turn into the user's message behind them, for an API whose results cannot hold
 * them: a line before them names the call. `holds`: what a result can hold.
 */
export function settled(parts: readonly Part[], holds: (part: Part) => boolean): Settled {
  const results: ResultPart[] = [];
  const moved: Part[] = [];
  const said: Part[] = [];
  for (const part of parts) {
    if (part.kind !== 'result') {
      said.push(part);
      continue;
    }
    const kept = part.parts.filter(holds);
    if (kept.length === part.parts.length) {
      results.push(part);
      continue;
    }
    results.push({ ...part, parts: kept.length > 0 ? kept : [{ kind: 'text', text: 'The result is in the next message.' }] });
    moved.push({ kind: 'text', text: `From the result of the call ${part.id}:` }, ...part.parts.filter((inner) => !holds(inner)));
  }
  return { results, rest: [...moved, ...said] };
}

/** Whether a part is words, which all results can hold. */
export function isWords(part: Part): boolean {
  return part.kind === 'text' || part.kind === 'refusal' || (part.kind === 'document' && part.source.kind === 'text');
}
