import type { MaskWish } from '../apis/mask/mask.ts';
import { ownMaskKey, workspaceKey } from '../apis/mask/tokens.ts';
import { limits } from '../lib/limits.ts';
import type { PolicySection } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { maskHere, type MaskedBody, type ReadBody, type ReadWish } from './body-reader.ts';
import { blocksSensitive, type RequestContext } from './context.ts';

/** The keys that workspaces' tokens are made with, all from one. */
export class MaskKeys {
  readonly #master: Buffer;
  readonly #keys = new Map<string, string>();

  /** Absent: a key of this process's own, so that its tokens are others after the next start. */
  constructor(master: Buffer = ownMaskKey()) {
    this.#master = master;
  }

  of(workspace: string): string {
    let key = this.#keys.get(workspace);
    if (key === undefined) {
      key = workspaceKey(this.#master, workspace);
      // Callers invent workspace names.
      if (this.#keys.size < limits.labelValues * 10) this.#keys.set(workspace, key);
    }
    return key;
  }
}

/** How a section masks; null: it does not. */
export function maskWish(
  { masks, mode }: Pick<PolicySection, 'masks' | 'mode'>,
  workspace: string,
  keys: MaskKeys,
): Omit<MaskWish, 'patterns'> | null {
  return masks === null || mode !== 'enabled' ? null : { key: keys.of(workspace), rules: masks };
}

/** What was masked, for the record. */
export function rulesMasked(
  { sensitivity }: Pick<PolicySection, 'sensitivity'>,
  counts: readonly number[],
): NonNullable<ExchangeRecord['masked']> {
  return counts.flatMap((matches, at) => (matches > 0 ? [{ rule: sensitivity[at]?.name ?? '', matches }] : []));
}

/** What is wanted of a body: as little as its section needs. */
export function readWish({ section, caller, cache }: Pick<RequestContext, 'section' | 'caller' | 'cache'>, keys: MaskKeys): ReadWish {
  const patterns = section.sensitivity.map(({ pattern }) => pattern);
  const mask = maskWish(section, caller.workspace, keys);
  return { members: cache !== null, patterns, ...(mask === null ? {} : { mask }) };
}

/** A masked body that could be read again. */
export type MaskedRequest = MaskedBody & { readonly read: { readonly ok: true } };

/** The body with tokens for its sensitive data; null: there is none to mask. `same`: the patterns are still those that it was read with. */
export function maskedIn(here: ReadBody, context: RequestContext, same: boolean, keys: MaskKeys): MaskedRequest | 'failed' | null {
  const { inspection, recognition } = context;
  const masked = same || inspection === null ? here.masked : maskHere(recognition, here.body, readWish(context, keys), inspection);
  if (masked === null || masked === 'failed') return masked === null || blocksSensitive(context) ? null : masked;
  const { read } = masked;
  return read.ok ? { ...masked, read } : 'failed';
}

/** What an app is told whose data must be masked and cannot be; undefined: what is told of it in general. */
export function unmaskedMessage({ section, inspection }: Pick<RequestContext, 'section' | 'inspection'>): string | undefined {
  const rule = section.sensitivity.find(({ then }, at) => then.kind === 'mask' && inspection?.matched[at] === true);
  return rule?.then.kind === 'mask' ? rule.then.message : undefined;
}
