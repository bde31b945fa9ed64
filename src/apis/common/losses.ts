import { limits } from '../../lib/limits.ts';

/** A part of a request that the target's API cannot express. `path` names it in the caller's API; `[]` is any index. */
export interface Unsupported {
  readonly path: string;
  readonly why: string;
}

/**
 * Members for billing, caching or bookkeeping, members that only the provider that made them can read, and members that mark what the text
 * beside them already says: without them the request has the same text. A policy's drop list starts with these.
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
  // Sent by coding agents: a system message after other turns (it becomes a user's), context management, client identity, and style settings that only their own models have.
  'messages[].role',
  'input[].role',
  'context_management',
  'client_metadata',
  'thread',
  'verbosity',
  'topP',
  'top_p',
  'topK',
  'top_k',
];

/** Thrown inside this folder only: the request is invalid in its own API, so it cannot be translated. */
export class Malformed extends Error {
  readonly path: string;
  constructor(path: string, what: string) {
    super(what);
    this.path = path;
  }
}

/** Collects what a translation cannot express, and checks it against the drop list. */
export class Losses {
  readonly #drop: readonly string[];
  readonly #dropped = new Set<string>();
  readonly #unsupported = new Map<string, string>();

  constructor(drop: readonly string[]) {
    this.#drop = drop;
  }

  /** True if the part may be left out (it is then noted as dropped); otherwise the request cannot be translated. */
  lose(path: string, why: string): boolean {
    const place = general(path);
    if (this.#drop.some((entry) => covers(entry, place))) {
      if (this.#dropped.size < limits.translationLosses) this.#dropped.add(place);
      return true;
    }
    this.refuse(path, why);
    return false;
  }

  /** Notes a part that was left out without effect on the answer. */
  note(path: string): void {
    if (this.#dropped.size < limits.translationLosses) this.#dropped.add(general(path));
  }

  /** A part that no policy can drop, because the request would mean something else without it. */
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

/** Removes indices: a record that names each of a thousand messages is not useful. */
function general(path: string): string {
  return path.replaceAll(/\[\d+\]/g, '[]').slice(0, limits.translationPathUnits);
}

/** An entry names a whole path, everything below it, or the end of a path (`cache_control` at any position). */
function covers(entry: string, path: string): boolean {
  return path === entry || path.startsWith(`${entry}.`) || path.startsWith(`${entry}[`) || path.endsWith(`.${entry}`);
}
