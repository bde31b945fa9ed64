import type { FallbackTrigger } from '../../src/policy/types.ts';
import { type Behaviour, hangs, resets, status } from '../../test/support/scripted-provider.ts';
import { answer, errorBody, errorEvent, type Family } from './wire.ts';

/** What the app is to get: the second target's answer, the first one's as it came, or an error. */
export type Expected = 'next' | 'first' | 'error';
/** What all attempts together are to have cost: what each answer's tokens cost, or not known. */
export type ExpectedCost = 'second' | 'both' | 'first' | 'nothing' | 'unknown';

export interface Case {
  readonly name: string;
  /** The trigger that the record must name; null if there is no fallback. */
  readonly reason: FallbackTrigger | null;
  readonly expected: Expected;
  readonly cost: ExpectedCost;
  readonly behaviour: Behaviour;
  /** The first target's provider: the app's own, another of the same API with a key of the gateway's, or one that nobody listens for. */
  readonly first: 'own' | 'other' | 'dead';
  readonly asks: 'text' | 'json' | 'tools';
  /** The second target's context window is no larger. */
  readonly narrowNext?: true;
}

const plain = { first: 'own', asks: 'text' } as const;

/** What happens to the first target, and what has to come of it; null where an API has no such thing. */
export const cases: readonly { readonly name: string; readonly make: (family: Family, stream: boolean) => Omit<Case, 'name'> | null }[] = [
  { name: 'connect', make: () => ({ ...plain, first: 'dead', reason: 'reset', expected: 'next', cost: 'unknown', behaviour: hangs }) },
  { name: 'reset', make: () => ({ ...plain, reason: 'reset', expected: 'next', cost: 'unknown', behaviour: resets }) },
  { name: 'timeout', make: () => ({ ...plain, reason: 'timeout', expected: 'next', cost: 'unknown', behaviour: hangs }) },
  ...([500, 502, 503] as const).map((code) => ({
    name: `server-error (${code})`,
    make: (family: Family) => ({
      ...plain,
      reason: 'server-error' as const,
      expected: 'next' as const,
      cost: 'second' as const,
      behaviour: status(code, errorBody(family, 'broken')),
    }),
  })),
  {
    name: 'rate-limit (429)',
    make: (family) => ({
      ...plain,
      reason: 'rate-limit',
      expected: 'next',
      cost: 'second',
      behaviour: status(429, errorBody(family, 'slow down'), { 'retry-after': '1' }),
    }),
  },
  {
    name: 'overloaded (529)',
    make: (family) => ({
      ...plain,
      reason: 'overloaded',
      expected: 'next',
      cost: 'second',
      behaviour: status(529, errorBody(family, 'busy')),
    }),
  },
  {
    name: 'model-gone (404)',
    make: (family) => ({
      ...plain,
      reason: 'model-gone',
      expected: 'next',
      cost: 'second',
      behaviour: status(404, errorBody(family, 'no such model', 'model_not_found')),
    }),
  },
  {
    name: 'key-dead (401, the gateway’s key)',
    make: (family) => ({
      ...plain,
      first: 'other',
      reason: 'key-dead',
      expected: 'next',
      cost: 'second',
      behaviour: status(401, errorBody(family, 'bad key')),
    }),
  },
  {
    name: '401 to the app’s own key',
    make: (family) => ({
      ...plain,
      reason: null,
      expected: 'error',
      cost: 'nothing',
      behaviour: status(401, errorBody(family, 'bad key')),
    }),
  },
  {
    name: 'context-window, the next one’s is larger',
    make: (family) => ({ ...plain, reason: 'context-window', expected: 'next', cost: 'second', behaviour: tooLong(family) }),
  },
  {
    name: 'context-window, the next one’s is not',
    make: (family) => ({ ...plain, reason: null, expected: 'error', cost: 'nothing', behaviour: tooLong(family), narrowNext: true }),
  },
  {
    name: 'content-filter (400)',
    make: (family) =>
      family === 'openai'
        ? {
            ...plain,
            reason: 'content-filter',
            expected: 'next',
            cost: 'second',
            behaviour: status(400, errorBody(family, 'filtered', 'content_filter')),
          }
        : null,
  },
  {
    name: 'content-filter (200)',
    make: (family, stream) =>
      family === 'anthropic'
        ? null
        : inAnswer(stream, 'content-filter', answer(family, stream, 'x', { finish: family === 'openai' ? 'content_filter' : 'SAFETY' })),
  },
  {
    name: 'refusal',
    make: (family, stream) =>
      family === 'google'
        ? null
        : inAnswer(
            stream,
            'refusal',
            answer(family, stream, 'no', family === 'openai' ? { refusal: 'I will not.' } : { finish: 'refusal' }),
          ),
  },
  { name: 'empty', make: (family, stream) => inAnswer(stream, 'empty', answer(family, stream, '')) },
  {
    name: 'length',
    make: (family, stream) =>
      inAnswer(
        stream,
        'length',
        answer(family, stream, 'Once upon', { finish: { openai: 'length', anthropic: 'max_tokens', google: 'MAX_TOKENS' }[family] }),
      ),
  },
  {
    name: 'invalid-json, none at all',
    make: (family, stream) => ({ ...inAnswer(stream, 'invalid-json', answer(family, stream, 'Sure! Here it is')), asks: 'json' }),
  },
  {
    name: 'invalid-json, against the schema',
    make: (family, stream) => ({ ...inAnswer(stream, 'invalid-json', answer(family, stream, '{"answer":7}')), asks: 'json' }),
  },
  {
    name: 'bad-tool-call',
    make: (family, stream) =>
      family === 'openai'
        ? { ...inAnswer(stream, 'bad-tool-call', answer(family, stream, '', { toolArguments: '{"query":' })), asks: 'tools' }
        : null,
  },
  {
    name: 'stream-error',
    make: (family, stream) =>
      stream ? { ...plain, reason: 'stream-error', expected: 'next', cost: 'unknown', behaviour: errorEvent(family) } : null,
  },
  {
    name: '400 of the app’s own making',
    make: (family) => ({
      ...plain,
      reason: null,
      expected: 'error',
      cost: 'nothing',
      behaviour: status(400, errorBody(family, 'temperature is out of range', 'invalid_value')),
    }),
  },
  {
    name: '422',
    make: (family) => ({ ...plain, reason: null, expected: 'error', cost: 'nothing', behaviour: status(422, errorBody(family, 'no')) }),
  },
  {
    name: 'cut after the first words',
    make: (family, stream) =>
      stream
        ? { ...plain, reason: null, expected: 'error', cost: 'unknown', behaviour: answer(family, true, 'Once upon a time', { cut: true }) }
        : null,
  },
];

function inAnswer(stream: boolean, reason: FallbackTrigger, behaviour: Behaviour): Omit<Case, 'name'> {
  // A stream is not buffered for checks: it arrives unchanged.
  return stream
    ? { ...plain, reason: null, expected: 'first', cost: 'first', behaviour }
    : { ...plain, reason, expected: 'next', cost: 'both', behaviour };
}

function tooLong(family: Family): Behaviour {
  return status(400, errorBody(family, 'The prompt is too long: it exceeds the maximum number of tokens', 'context_length_exceeded'));
}
