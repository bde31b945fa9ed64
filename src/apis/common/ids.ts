import { createHash } from 'node:crypto';

/** The ids that an API accepts for tool calls. */
export interface IdRule {
  readonly pattern: RegExp;
  readonly prefix: string;
}

export const openaiIds: IdRule = { pattern: /^[\x21-\x7e]{1,40}$/, prefix: 'call_' };
export const anthropicIds: IdRule = { pattern: /^[a-zA-Z0-9_-]{1,64}$/, prefix: 'toolu_' };
/** Gemini does not document a rule; its ids look like this. */
export const geminiIds: IdRule = { pattern: /^[\x21-\x7e]{1,64}$/, prefix: 'call_' };

/**
 * An id that the target accepts: unchanged if its rule allows, otherwise derived from the original. The same id always gives the same
 * result, so a call and its result still match.
 */
export function fitId(id: string, rule: IdRule): string {
  return rule.pattern.test(id) ? id : madeId(rule.prefix, id);
}

/** An id derived from `from`: 24 hexadecimal digits of its hash. */
export function madeId(prefix: string, from: string): string {
  return `${prefix}${createHash('sha256').update(from).digest('hex').slice(0, 24)}`;
}
