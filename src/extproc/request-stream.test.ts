import { beforeEach, describe, expect, it } from 'vitest';
import { headerMap, type Message } from '../../test/support/ext-proc.ts';
import type { Later } from '../lib/later.ts';
import type { BodyPlan } from '../exchange/plans.ts';
import { phases, servedBy, transports } from '../../test/support/served.ts';

describe.each(transports)('over $title', (over) => {
  const served = servedBy(over);

  describe('a request stream', () => {
    it('asks for the body, changes it, and is ended by Sluice', async () => {
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      expect(stream.replies[0]).toMatchObject({ mode_override: { request_body_mode: 'BUFFERED' } });
      stream.send(phases['requestBody']!);
      expect(await stream.over()).toBe(0);
      expect(stream.replies[1]).toMatchObject({ request_body: { response: { body_mutation: { body: Buffer.from('changed') } } } });
    });

    it('asks for the beginning of a body of unknown length, and says whether it is all', async () => {
      const seen: unknown[] = [];
      const take = (_body: Buffer, more?: boolean): BodyPlan => (seen.push(more), { kind: 'forward' });
      served.gateway.request = { kind: 'read-body', beginning: true, handler: { take, aborted: () => undefined } };
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      expect(stream.replies[0]).toMatchObject({ mode_override: { request_body_mode: 'BUFFERED_PARTIAL' } });
      stream.send(phases['requestBody']!);
      expect(await stream.over()).toBe(0);
      expect(seen).toEqual([false]);
    });

    it('tells the gateway when Envoy ended the stream before it saw the plan', async () => {
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      stream.send(phases['requestBody']!);
      stream.halfClose();
      expect(await stream.over()).toBe(0);
      await expect.poll(() => served.gateway.notes).toEqual(['request', 'body 2', 'unseen']);
    });

    it('lets a request pass with its headers alone', async () => {
      served.gateway.request = { kind: 'pass', metadata: { reason: 'unknown-path' } };
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      expect(await stream.over()).toBe(0);
      expect(stream.replies).toHaveLength(1);
      expect(stream.replies[0]).not.toHaveProperty('mode_override');
    });

    it('tells the gateway when the client went away before the body', async () => {
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      stream.cancel();
      await expect.poll(() => served.gateway.notes).toEqual(['request', 'aborted']);
      expect(served.events).toEqual(['request-aborted']);
    });

    it('passes a request on when the gateway breaks its word and throws', async () => {
      served.gateway.fails = true;
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      expect(stream.replies[0]).toHaveProperty('request_headers');
      expect(served.events).toEqual(['gateway-error']);
      expect(served.errors).toMatchObject([{ message: 'a bug' }]);
    });
  });

  describe('a body whose plan takes its time', () => {
    let decide: (plan: BodyPlan | Later<BodyPlan>) => void;
    let fail: (error: Error) => void;

    beforeEach(() => {
      const result = new Promise<BodyPlan | Later<BodyPlan>>((resolve, reject) => {
        decide = resolve;
        fail = reject;
      });
      served.gateway.bodyPlan = { kind: 'later', ms: 0, result };
    });

    const opened = async () => {
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      stream.send(phases['requestBody']!);
      await expect.poll(() => served.gateway.notes).toContain('body 2');
      return stream;
    };

    it('is answered once the plan is there, and then ended', async () => {
      const stream = await opened();
      expect(stream.replies).toHaveLength(1);
      decide({ kind: 'forward', body: Buffer.from('late') });
      expect(await stream.over()).toBe(0);
      expect(stream.replies[1]).toMatchObject({ request_body: { response: { body_mutation: { body: Buffer.from('late') } } } });
      expect(served.gateway.notes).toEqual(['request', 'body 2']);
    });

    it.each([
      ['at once', true],
      ['later', false],
    ])('asks Envoy %s for the time that it needs, with some to spare', async (_name, atOnce) => {
      let finish: (plan: BodyPlan) => void = () => undefined;
      const wait: Later<BodyPlan> = { kind: 'later', ms: 20_000, result: new Promise((resolve) => (finish = resolve)) };
      if (atOnce) served.gateway.bodyPlan = wait;
      const stream = await opened();
      if (!atOnce) decide(wait);
      await stream.until(2);
      expect(stream.replies[1]).toEqual({ override_message_timeout: { seconds: 20, nanos: 500_000_000 } });
      finish({ kind: 'forward' });
      expect(await stream.over()).toBe(0);
      expect(stream.replies[2]).toHaveProperty('request_body');
    });

    it('asks Envoy for time once, however often it turns out to take longer', async () => {
      const stream = await opened();
      decide({
        kind: 'later',
        ms: 1_000,
        result: Promise.resolve({ kind: 'later', ms: 2_000, result: Promise.resolve({ kind: 'forward' }) } as const),
      });
      expect(await stream.over()).toBe(0);
      expect(stream.replies.map((reply) => Object.keys(reply)[0])).toEqual(['request_headers', 'override_message_timeout', 'request_body']);
    });

    it('is given up when the client goes away, and the late plan is dropped', async () => {
      const stream = await opened();
      stream.cancel();
      await expect.poll(() => served.gateway.notes).toEqual(['request', 'body 2', 'aborted']);
      decide({ kind: 'forward' });
      await stream.over();
      expect(stream.replies).toHaveLength(1);
      expect(served.events).toEqual(['request-aborted']);
    });

    it('passes when the promise breaks', async () => {
      const stream = await opened();
      fail(new Error('a bug'));
      await stream.until(2);
      expect(stream.replies[1]).toHaveProperty('request_body');
      expect(served.events).toEqual(['gateway-error']);
      expect(served.errors).toMatchObject([{ message: 'a bug' }]);
    });

    it('answers the trailers that came meanwhile by ending', async () => {
      const stream = await opened();
      stream.send(phases['requestTrailers']!);
      decide({ kind: 'forward' });
      expect(await stream.over()).toBe(0);
      expect(stream.replies.map((reply) => Object.keys(reply)[0])).toEqual(['request_headers', 'request_body']);
    });

    it('gives way to an answer that began without it', async () => {
      const stream = await opened();
      stream.send(phases['responseHeaders']!);
      await stream.until(2);
      decide({ kind: 'forward' });
      stream.halfClose();
      expect(await stream.over()).toBe(0);
      expect(served.gateway.notes).toEqual(['request', 'body 2', 'aborted', 'response x', 'end whole=false cancelled=false']);
      expect(stream.replies.map((reply) => Object.keys(reply)[0])).toEqual(['request_headers', 'response_headers']);
    });

    it('settles in any order of two more phases', async () => {
      const names = Object.keys(phases);
      for (const first of names) {
        for (const second of names) {
          const stream = await opened();
          stream.send(phases[first]!);
          stream.send(phases[second]!);
          stream.halfClose();
          expect(await stream.over(), `${first} ${second}`).toBe(0);
        }
      }
      decide({ kind: 'forward' });
      // Each was begun once and given up once; a second request on the same stream is no request.
      expect(served.gateway.notes.filter((note) => note === 'aborted')).toHaveLength(names.length ** 2);
      expect(served.gateway.notes.filter((note) => note.startsWith('response x')).length).toBe(
        served.gateway.notes.filter((note) => note.startsWith('end ')).length,
      );
    });
  });

  describe('a stream for both the request and its answer', () => {
    const metadata = { id: 'x', answer: 'inline', model: 'small', attempts: '1' };
    const answer: Message = { response_headers: { headers: headerMap({ ':status': '200' }) } };

    beforeEach(() => {
      served.gateway.bodyPlan = { kind: 'forward', body: Buffer.from('changed'), metadata };
    });

    const forwarded = async () => {
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      stream.send(phases['requestBody']!);
      await stream.until(2);
      return stream;
    };

    it('keeps the metadata that Envoy does not, says it in the answer’s headers, and answers each part of the answer', async () => {
      const stream = await forwarded();
      stream.send(answer);
      stream.send(phases['responseBody']!);
      stream.send({ response_body: { body: Buffer.from('b'), end_of_stream: true } });
      expect(await stream.over()).toBe(0);
      expect(served.gateway.notes).toEqual(['request', 'body 2', 'response x', 'chunk a', 'chunk b', 'end whole=true cancelled=false']);
      expect(stream.replies.map((reply) => Object.keys(reply)[0])).toEqual([
        'request_headers',
        'request_body',
        'response_headers',
        'response_body',
        'response_body',
      ]);
      const said = JSON.stringify(stream.replies[2], (_key, value: unknown) =>
        Buffer.isBuffer(value) || value instanceof Uint8Array ? Buffer.from(value).toString() : value,
      );
      for (const text of ['x-sluice-decision', 'x-sluice-model', 'x-sluice-attempts']) expect(said).toContain(text);
      expect(said).not.toContain('x-sluice-tier');
      expect(served.events).toEqual([]);
    });

    it('reads the answer to a request that passed with its headers alone, whose body comes all the same', async () => {
      served.gateway.request = { kind: 'pass', metadata };
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      stream.send(phases['requestBody']!);
      stream.send(answer);
      stream.send({ response_body: { body: Buffer.from('b'), end_of_stream: true } });
      expect(await stream.over()).toBe(0);
      expect(served.gateway.notes).toEqual(['request', 'response x', 'chunk b', 'end whole=true cancelled=false']);
      expect(served.events).toEqual([]);
    });

    it('ends after its own answer', async () => {
      served.gateway.bodyPlan = {
        kind: 'respond',
        status: 403,
        contentType: 'text/plain',
        headers: [],
        body: Buffer.from('no'),
        details: '',
        metadata,
      };
      const stream = await forwarded();
      expect(await stream.over()).toBe(0);
    });

    it.each(['cancel', 'halfClose'] as const)('tells the gateway of a client that left before the answer: %s', async (how) => {
      const left = await forwarded();
      left[how]();
      await expect.poll(() => served.gateway.notes).toEqual(['request', 'body 2', 'unseen', 'logged x']);
    });
  });

  describe('a response stream in observability mode', () => {
    const copy = (message: Message): Message => ({ ...message, observability_mode: true });

    it('feeds the observer and replies nothing', async () => {
      const stream = served.envoy.open();
      stream.send(copy(phases['responseHeaders']!));
      stream.send(copy(phases['responseBody']!));
      stream.send(copy({ response_body: { body: Buffer.from('b'), end_of_stream: true } }));
      expect(await stream.over()).toBe(0);
      expect(served.gateway.notes).toEqual(['response x', 'chunk a', 'chunk b', 'end whole=true cancelled=false']);
      expect(stream.replies).toEqual([]);
    });

    it('ends at once when there is nothing to read', async () => {
      const stream = served.envoy.open();
      stream.send(copy({ response_headers: { headers: headerMap({ ':status': '200' }) } }));
      expect(await stream.over()).toBe(0);
    });

    it('says that the answer was not whole when the stream just stops', async () => {
      const stream = served.envoy.open();
      stream.send(copy(phases['responseHeaders']!));
      stream.send(copy(phases['responseBody']!));
      await expect.poll(() => served.gateway.notes.length).toBe(2);
      stream.halfClose();
      await expect.poll(() => served.gateway.notes.at(-1)).toBe('end whole=false cancelled=false');
    });
  });

  describe('any order of phases', () => {
    const names = Object.keys(phases);
    const orders: string[][] = [];
    for (const a of names) for (const b of names) for (const c of names) orders.push([a, b, c]);

    it('gets one reply a phase until Sluice ends the stream, and never hangs or crashes', async () => {
      for (const order of orders) {
        const stream = served.envoy.open();
        for (const [index, name] of order.entries()) {
          stream.send(phases[name]!);
          await stream.until(index + 1);
          if (stream.status !== null) break;
          expect(stream.replies.length, order.join(' ')).toBe(index + 1);
        }
        stream.halfClose();
        expect(await stream.over(), order.join(' ')).toBe(0);
      }
      // Whatever was begun was ended: every observer and every waiting body heard of it.
      const begun = served.gateway.notes.filter((note) => note === 'request').length;
      const settled = served.gateway.notes.filter((note) => note === 'aborted' || note.startsWith('body ')).length;
      expect(settled).toBe(begun);
      expect(served.gateway.notes.filter((note) => note.startsWith('response x')).length).toBe(
        served.gateway.notes.filter((note) => note.startsWith('end ')).length,
      );
    });
  });
});
