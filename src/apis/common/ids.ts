import { createHash } from 'node:crypto';

/** What an API takes as the id of a tool call. */
export interface IdRule {
  readonly pattern: RegExp;
  readonly prefix: string;
}

export const openaiIds: IdRule = { pattern: /^[\x21-\x7e]{1,40}$/, prefix: 'call_' };
export const anthropicIds: IdRule = { pattern: /^[a-zA-Z0-9_-]{1,64}$/, prefix: 'toolu_' };
/** Gemini's own rule is not written down; its ids look like this. */
export const geminiIds: IdRule = { pattern: /^[\x21-\x7e]{1,64}$/, prefix: 'call_' };

/**
 * An id as the target takes it: the same one where its rule allows, otherwise one made from it, so that the call and its result still
 * meet and the same id always becomes the same.
 */
export function fitId(id: string, rule: IdRule): string {
  return rule.pattern.test(id) ? id : madeId(rule.prefix, id);
}

/** An id made from what it is for: 24 hexadecimal digits of its hash. */
export function madeId(prefix: string, from: string): string {
  return `${prefix}${createHash('sha256').update(from).digest('hex').slice(0, 24)}`;
}
