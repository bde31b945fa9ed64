import type { FinishClass } from '../answer-forms.ts';

/** How answers say that they ended, in small letters, and what that means to the cache: every name that a provider of several APIs uses. */
export const commonFinishes: ReadonlyMap<string, FinishClass> = new Map<string, FinishClass>([
  ['stop', 'stop'],
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['completed', 'stop'],
  ['tool_calls', 'tools'],
  ['function_call', 'tools'],
  ['tool_use', 'tools'],
  ['length', 'length'],
  ['max_tokens', 'length'],
]);
