import { describe, expect, it } from 'vitest';
import type { Attempt } from '../exchange/plans.ts';
import { AttemptStream } from './attempt-stream.ts';
import type { ProcessingRequest, Reply } from './types.ts';

const headers = { get: () => undefined, entries: () => [] };
const request: ProcessingRequest = {
  phase: { kind: 'request-headers', headers, endOfStream: false },
  metadata: { id: 'x' },
  observability: false,
};
const body: ProcessingRequest = {
  phase: { kind: 'request-body', body: Buffer.from('{}'), endOfStream: true },
  metadata: null,
  observability: false,
};

describe('an error inside an attempt', () => {
  it.each(['when it begins', 'when its request is made'])('is told with what it was, and the attempt goes on as it came: %s', (when) => {
    const bug = new Error('a bug');
    const fail = (): never => {
      throw bug;
    };
    let left = 0;
    const attempt: Attempt = { request: fail, answer: fail, closed: () => (left += 1) };
    const replies: Reply[] = [];
    const told: unknown[] = [];
    const session = new AttemptStream(
      { send: (reply) => replies.push(reply), end: () => undefined },
      'next',
      { attempt: when === 'when it begins' ? fail : () => attempt },
      (...event) => told.push(event),
    );
    session.message(request);
    if (when !== 'when it begins') session.message(body);
    expect(told).toEqual([['gateway-error', bug]]);
    expect(replies.at(-1)).toEqual({ kind: 'continue', phase: when === 'when it begins' ? 'request-headers' : 'request-body' });
    expect(left).toBe(when === 'when it begins' ? 0 : 1);
  });
});
