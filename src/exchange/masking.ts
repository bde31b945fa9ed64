import type { MaskWish } from '../apis/mask/mask.ts';
import { ownMaskKey, workspaceKey } from '../apis/mask/tokens.ts';
import { limits } from '../lib/limits.ts';
import type { PolicySection } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { maskHere, type MaskedBody, type ReadBody, type ReadWish } from './body-reader.ts';
import { blocksSensitive, type RequestContext } from './context.ts';

/** The keys for each workspace's mask tokens, all derived from one master key. */
export class MaskKeys {
  readonly #master: Buffer;
  readonly #keys = new Map<string, string>();

  /** If absent, this process generates a key, so its tokens change with every start. */
  constructor(master: Buffer = ownMaskKey()) {
    this.#master = master;
  }

  of(workspace: string): string {
    let key = this.#keys.get(workspace);
    if (key === undefined) {
      key = workspaceKey(this.#master, workspace);
      // Bounded because callers can invent workspace names.
      if (this.#keys.size < limits.labelValues * 10) this.#keys.set(workspace, key);
    }
    return key;
  }
}

/** How a section masks; null if it does not. */
export function maskWish(
  { masks, mode }: Pick<PolicySection, 'masks' | 'mode'>,
  workspace: string,
  keys: MaskKeys,
): Omit<MaskWish, 'patterns'> | null {
  return masks === null || mode !== 'enabled' ? null : { key: keys.of(workspace), rules: masks };
}

/** The masking rules that matched, for the record. */
export function rulesMasked(
  { sensitivity }: Pick<PolicySection, 'sensitivity'>,
  counts: readonly number[],
): NonNullable<ExchangeRecord['masked']> {
  return counts.flatMap((matches, at) => (matches > 0 ? [{ rule: sensitivity[at]?.name ?? '', matches }] : []));
}

const nothingMore: ReadWish = { members: false, patterns: [] };
const onlyMembers: ReadWish = { members: true, patterns: [] };

/** What to extract from a body: only what its section needs. */
export function readWish({ section, caller, cache }: Pick<RequestContext, 'section' | 'caller' | 'cache'>, keys: MaskKeys): ReadWish {
  const mask = maskWish(section, caller.workspace, keys);
  if (section.sensitivity.length === 0 && mask === null) return cache === null ? nothingMore : onlyMembers;
  const patterns = section.sensitivity.map(({ pattern }) => pattern);
  return { members: cache !== null, patterns, ...(mask === null ? {} : { mask }) };
}

/** A masked body that was parsed successfully. */
export type MaskedRequest = MaskedBody & { readonly read: { readonly ok: true } };

/** The masked body; null if there is nothing to mask. `same`: the patterns have not changed since it was read. */
export function maskedIn(here: ReadBody, context: RequestContext, same: boolean, keys: MaskKeys): MaskedRequest | 'failed' | null {
  const { inspection, recognition } = context;
  const masked = same || inspection === null ? here.masked : maskHere(recognition, here.body, readWish(context, keys), inspection);
  if (masked === null || masked === 'failed') return masked === null || blocksSensitive(context) ? null : masked;
  const { read } = masked;
  return read.ok ? { ...masked, read } : 'failed';
}

/** The rule's error message for data that must be masked and cannot be; undefined: the general message applies. */
export function unmaskedMessage({ section, inspection }: Pick<RequestContext, 'section' | 'inspection'>): string | undefined {
  const rule = section.sensitivity.find(({ then }, at) => then.kind === 'mask' && inspection?.matched[at] === true);
  return rule?.then.kind === 'mask' ? rule.then.message : undefined;
}
