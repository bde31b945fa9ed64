import { limits } from '../../lib/limits.ts';

/** Something of a request that its target's API has no place for. `path` names it in the caller's terms; `[]` stands for any index. */
export interface Unsupported {
  readonly path: string;
  readonly why: string;
}

/**
 * Members that steer billing, caching or bookkeeping, that only the provider which made them can read, or that mark what the text beside
 * them says: without them the answer is asked for in the same words. A policy's list of what may be dropped starts with these.
 */
export const neutralDrops: readonly string[] = [
  'cache_control',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'prompt_cache_breakpoint',
  'service_tier',
  'serviceTier',
  'safety_identifier',
  'user',
  'metadata',
  'labels',
  'store',
  'diagnostics',
  'include_obfuscation',
  'include',
  'thinking_blocks',
  'reasoning_items',
  'thoughtSignature',
  'thoughts',
  'includeThoughts',
  'thinking.display',
  'reasoning.summary',
  'reasoning.generate_summary',
  'is_error',
  'messages[].reasoning',
  'messages[].reasoning_content',
  'messages[].reasoning_details',
  'extra_content',
  // What coding agents send along: how context is kept, who they are, and settings of style that only their own models have.
  'context_management',
  'client_metadata',
  'thread',
  'verbosity',
  'topP',
  'top_p',
  'topK',
  'top_k',
];

/** Thrown inside this folder only: the request is not what its API takes, so there is nothing to translate. */
export class Malformed extends Error {
  readonly path: string;
  constructor(path: string, what: string) {
    super(what);
    this.path = path;
  }
}

/** Collects what a translation cannot carry, against the list of what it may leave out. */
export class Losses {
  readonly #drop: readonly string[];
  readonly #dropped = new Set<string>();
  readonly #unsupported = new Map<string, string>();

  constructor(drop: readonly string[]) {
    this.#drop = drop;
  }

  /** True when the part may be left out (and is then noted as dropped); otherwise the request cannot be translated. */
  lose(path: string, why: string): boolean {
    const place = general(path);
    if (this.#drop.some((entry) => covers(entry, place))) {
      if (this.#dropped.size < limits.translationLosses) this.#dropped.add(place);
      return true;
    }
    this.refuse(path, why);
    return false;
  }

  /** Something that was left out and that nothing hangs on. */
  note(path: string): void {
    if (this.#dropped.size < limits.translationLosses) this.#dropped.add(general(path));
  }

  /** What no policy can drop, because the request would mean something else without it. */
  refuse(path: string, why: string): void {
    if (this.#unsupported.size < limits.translationLosses) this.#unsupported.set(general(path), why);
  }

  get dropped(): readonly string[] {
    return [...this.#dropped];
  }

  get unsupported(): readonly Unsupported[] {
    return [...this.#unsupported].map(([path, why]) => ({ path, why }));
  }
}

/** Indices are left out: a record that names every one of a thousand messages helps nobody. */
function general(path: string): string {
  return path.replaceAll(/\[\d+\]/g, '[]').slice(0, limits.translationPathUnits);
}

/** An entry names a whole path, everything below it, or the end of a path (`cache_control` wherever it stands). */
function covers(entry: string, path: string): boolean {
  return path === entry || path.startsWith(`${entry}.`) || path.startsWith(`${entry}[`) || path.endsWith(`.${entry}`);
}
