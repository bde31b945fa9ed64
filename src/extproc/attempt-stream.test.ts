import { describe, expect, it } from 'vitest';
import type { AnswerPlan, Attempt, BrokenAttempt } from '../exchange/plans.ts';
import type { FilterRole } from '../attach/names.ts';
import { AttemptStream } from './attempt-stream.ts';
import type { Phase, ProcessingRequest, Reply } from './types.ts';

const headers = { get: () => undefined, entries: () => [] };
const of = (phase: Phase): ProcessingRequest => ({ phase, metadata: { id: 'x' }, observability: false });
const request = of({ kind: 'request-headers', headers, endOfStream: false });
const body = of({ kind: 'request-body', body: Buffer.from('{}'), endOfStream: true });
const answer = (endOfStream = false): ProcessingRequest => of({ kind: 'response-headers', headers, endOfStream });
const bytes = (text: string, endOfStream: boolean): ProcessingRequest =>
  of({ kind: 'response-body', body: Buffer.from(text), endOfStream });

const broken: BrokenAttempt = {
  answer: {
    kind: 'pass',
    headers: {
      set: [
        [':status', '502'],
        ['content-type', 'application/json'],
      ],
      remove: ['content-length'],
    },
    body: Buffer.from('{"error":"of the app"}'),
  },
  event: Buffer.from('event: error\n\n'),
};
const immediate = { kind: 'immediate', status: 502, body: broken.answer.body };

const fail = (): never => {
  throw new Error('a bug');
};

const forward = { kind: 'forward', headers: { set: [], remove: [] }, metadata: {} } as const;

/** Of an attempt that its provider never saw. */
const unsent: BrokenAttempt = {
  ...broken,
  answer: { ...broken.answer, headers: { set: [[':status', '503']], remove: [] }, body: Buffer.from('{"error":"unsent"}') },
};
const immediateUnsent = { kind: 'immediate', status: 503, body: unsent.answer.body };

/** What comes of the messages for an attempt: the replies, what was told, and how often the attempt was closed. */
function play(role: FilterRole, attempt: Partial<Attempt> | null | 'fails', messages: readonly ProcessingRequest[]) {
  const replies: Reply[] = [];
  const told: string[] = [];
  let closed = 0;
  let ends = 0;
  const made: Attempt = {
    request: () => forward,
    answer: () => ({ kind: 'pass' }),
    closed: () => (closed += 1),
    ...(attempt === 'fails' ? {} : attempt),
  };
  const stream = new AttemptStream(
    { send: (reply) => replies.push(reply), end: () => (ends += 1) },
    role,
    {
      attempt: attempt === 'fails' ? fail : () => (attempt === null ? null : made),
      broken: (_metadata, asked) => (asked ? broken : unsent),
    },
    (event) => told.push(event),
  );
  for (const message of messages) stream.message(message);
  return { replies, told, closed: () => closed, ends: () => ends };
}

/** The answer as the app gets it from replies in full-duplex mode. */
const streamed = (replies: readonly Reply[]): string =>
  replies.map((reply) => (reply.kind === 'chunk' ? reply.body.toString() : '')).join('');

describe('an error inside an attempt', () => {
  it.each<[string, Partial<Attempt> | 'fails', readonly ProcessingRequest[], object]>([
    ['when it begins', 'fails', [request], immediateUnsent],
    ['when its request is made', { request: fail }, [request, body], immediateUnsent],
    ['when an answer without a body comes', { answer: fail }, [request, body, answer(true)], immediate],
  ])('is told, and is an error of the app’s API: %s', (_name, attempt, messages, expected) => {
    for (const role of ['next', 'stream'] as const) {
      const { replies, told, ends } = play(role, attempt, messages);
      expect(told).toEqual(['gateway-error']);
      expect(replies.at(-1)).toMatchObject(expected);
      expect(ends()).toBe(1);
    }
  });

  it.each<[string, AnswerPlan | null]>([
    ['when an answer comes', null],
    ['when a whole answer is looked at', { kind: 'whole', maxBytes: 100, judge: fail }],
  ])('replaces the provider’s answer: %s', (_name, plan) => {
    const attempt = { answer: () => plan ?? fail() };
    const { replies } = play('next', attempt, [request, body, answer(), bytes('{"foreign":1}', true)]);
    expect(replies.at(-1)).toMatchObject({ kind: 'continue', phase: 'response-body', body: broken.answer.body });
    const whole = play('stream', attempt, [request, body, answer(), bytes('{"foreign":', false), bytes('1}', true)]);
    expect(streamed(whole.replies)).toBe('{"error":"of the app"}');
    expect(whole.replies.at(-1)).toMatchObject({ kind: 'chunk', endOfStream: true });
    expect(whole.ends()).toBe(1);
  });

  it('ends a stream that has begun with an error event, and sends nothing more of the provider’s', () => {
    const relay = {
      push: (piece: Buffer) => (piece.includes('bad') ? fail() : ({ kind: 'go', bytes: Buffer.from('good\n\n') } as const)),
      end: fail,
    };
    const { replies, ends } = play('stream', { answer: () => ({ kind: 'relay', relay }) }, [
      request,
      body,
      answer(),
      bytes('x', false),
      bytes('bad', false),
      bytes('more', false),
      bytes('', true),
    ]);
    expect(streamed(replies)).toBe('good\n\nevent: error\n\n');
    expect(replies.at(-1)).toMatchObject({ kind: 'chunk', endOfStream: true });
    expect(ends()).toBe(1);
  });

  it('lets a first attempt in the app’s own API pass as it came', () => {
    const { replies, told } = play('gate', 'fails', [answer()]);
    expect(told).toEqual(['gateway-error']);
    expect(replies).toEqual([{ kind: 'continue', phase: 'response-headers' }]);
  });

  it('closes the attempt once', () => {
    expect(play('next', { request: fail }, [request, body]).closed()).toBe(1);
  });
});

describe('an attempt that is not known', () => {
  it.each<[string, readonly ProcessingRequest[], object]>([
    ['its request is not sent', [request], immediateUnsent],
    ['an answer without a body is replaced', [answer(true)], immediate],
  ])('is an error of the app’s API: %s', (_name, messages, expected) => {
    for (const role of ['next', 'stream', 'shadow'] as const) expect(play(role, null, messages).replies).toMatchObject([expected]);
  });

  it('has an answer in the app’s API although Sluice never saw its request', () => {
    const { replies } = play('next', null, [answer(), bytes('{"foreign":1}', true)]);
    expect(replies.at(-1)).toMatchObject({ phase: 'response-body', body: broken.answer.body });
    expect(streamed(play('stream', null, [answer(), bytes('{"foreign":1}', false), bytes('', true)]).replies)).toBe(
      '{"error":"of the app"}',
    );
  });
});

describe('a whole answer', () => {
  const replaced: AnswerPlan = { ...broken.answer };

  it('that replaces an empty one is sent, though Envoy has no body to replace', () => {
    for (const role of ['next', 'stream'] as const)
      expect(play(role, { answer: () => replaced }, [request, body, answer(true)]).replies.at(-1)).toMatchObject(immediate);
  });

  it('that is too large is replaced where it must be, and passes otherwise', () => {
    const whole = { kind: 'whole', maxBytes: 3, judge: fail } as const;
    const messages = [request, body, answer(), bytes('fore', false), bytes('ign', false), bytes('', true)];
    expect(streamed(play('stream', { answer: () => whole }, messages).replies)).toBe('foreign');
    const { replies, ends } = play('stream', { answer: () => ({ ...whole, tooLarge: () => broken.answer }) }, messages);
    expect(streamed(replies)).toBe('{"error":"of the app"}');
    expect(replies.filter(({ kind }) => kind === 'chunk').at(-1)).toMatchObject({ endOfStream: true });
    expect(ends()).toBe(1);
  });
});
