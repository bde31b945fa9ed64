import type { FinishClass } from '../answer-forms.ts';

/** Finish reasons in lower case and their meaning for the cache: every name used by providers with several APIs. */
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
