import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Metadata, type ClientWritableStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { runs } from '../../test/support/fuzz.ts';
import { frameOf, preface, settingsFrame } from './h2/frames.ts';
import { encodeAccessLog, encodeRequest, headerMap, ScriptedEnvoy, struct, type Message } from '../../test/support/ext-proc.ts';
import { GrpcTransport } from './grpc-transport.ts';
import { FramesTransport } from './frames-transport.ts';
import { socketPath } from './socket.ts';
import type { ProtocolEvent, TellEvent } from './events.ts';
import { RequestStream } from './request-stream.ts';
import type { Later } from '../lib/later.ts';
import type { LoggedExchange, BodyPlan, Gateway, RequestPlan, ResponsePlan } from '../exchange/plans.ts';
import type { Services, Transport } from './types.ts';

/** A raw connection to `unix:/path` or `host:port`. */
function connectTo(address: string): Socket {
  const path = socketPath(address);
  return path === null ? connect(Number(address.split(':')[1]), '127.0.0.1') : connect(path);
}

/** A gateway that notes what it is told. */
class NotingGateway implements Gateway {
  readonly notes: string[] = [];
  request: RequestPlan | null = null;
  bodyPlan: BodyPlan | Later<BodyPlan> = { kind: 'forward', body: Buffer.from('changed'), metadata: { id: 'x' } };
  fails = false;

  requestHeaders(): RequestPlan {
    this.notes.push('request');
    if (this.fails) throw new Error('a bug');
    return (
      this.request ?? {
        kind: 'read-body',
        handler: {
          take: (body) => {
            this.notes.push(`body ${body.length}`);
            return this.bodyPlan;
          },
          aborted: () => this.notes.push('aborted'),
          unseen: () => () => this.notes.push('unseen'),
        },
      }
    );
  }

  logged({ id }: LoggedExchange): void {
    this.notes.push(`logged ${id}`);
  }

  responseHeaders(_headers: unknown, metadata: Readonly<Record<string, unknown>> | null): ResponsePlan {
    this.notes.push(`response ${String(metadata?.['id'])}`);
    if (metadata === null) return { kind: 'ignore' };
    return {
      kind: 'read',
      observer: {
        chunk: (bytes) => this.notes.push(`chunk ${bytes.toString()}`),
        end: (whole, cancelled) => this.notes.push(`end whole=${whole} cancelled=${cancelled}`),
      },
    };
  }
}

/** Envoy's stream of access logs. `over`: called when Sluice has ended it. */
function logCall(client: Client, over: (end: unknown) => void): ClientWritableStream<Buffer> {
  const bytes = (message: Buffer): Buffer => message;
  return client.makeClientStreamRequest('/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs', bytes, bytes, over);
}

/** A log of one exchange. */
const logOf = (id: string): Buffer =>
  encodeAccessLog([{ common_properties: { metadata: { filter_metadata: { sluice: struct({ id }) } } } }]);

const metadata_context = { filter_metadata: { sluice: struct({ id: 'x' }) } };
const phases: Readonly<Record<string, Message>> = {
  requestHeaders: { request_headers: { headers: headerMap({ ':path': '/v1' }) } },
  requestBody: { request_body: { body: Buffer.from('{}'), end_of_stream: true } },
  requestTrailers: { request_trailers: {} },
  responseHeaders: { response_headers: { headers: headerMap({ ':status': '200' }) }, metadata_context },
  responseBody: { response_body: { body: Buffer.from('a'), end_of_stream: false } },
  responseTrailers: { response_trailers: {} },
};

const encodedPhase = fc.constantFrom(...Object.values(phases)).map((phase) => encodeRequest(phase));

describe.each([
  { title: 'grpc on a Unix socket', Kind: GrpcTransport, tcp: false },
  { title: 'grpc on TCP', Kind: GrpcTransport, tcp: true },
  { title: 'frames on a Unix socket', Kind: FramesTransport, tcp: false },
  { title: 'frames on TCP', Kind: FramesTransport, tcp: true },
])('over $title', ({ Kind, tcp }) => {
  let folder: string;
  let gateway: NotingGateway;
  let events: ProtocolEvent[];
  /** What was behind them. */
  let errors: unknown[];
  /** Entries of the access log that are expected. */
  let awaited: number;
  /** Which Envoys asked, and which are gone. */
  let peers: string[];
  let transport: Transport;
  let address: string;
  let envoy: ScriptedEnvoy;
  const quiet: Services = {
    process: (stream) => new RequestStream(stream, gateway, () => undefined),
    logged: () => undefined,
    awaitsLog: () => false,
    told: () => undefined,
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-test-'));
    gateway = new NotingGateway();
    events = [];
    errors = [];
    const told: TellEvent = (event, error) => {
      events.push(event);
      if (error !== undefined) errors.push(error);
    };
    awaited = 0;
    peers = [];
    transport = new Kind();
    address = await transport.listen(tcp ? '127.0.0.1:0' : `unix:${join(folder, 's.sock')}`, {
      process: (stream, _role, _traceparent, peer) => {
        peers.push(peer);
        return new RequestStream(stream, gateway, told);
      },
      gone: (peer) => peers.push(`${peer} gone`),
      logged: (entry) => gateway.logged(entry),
      awaitsLog: () => awaited > gateway.notes.length,
      told,
    });
    envoy = new ScriptedEnvoy(address);
  });

  afterEach(async () => {
    envoy.close();
    await transport.drain(0);
    rmSync(folder, { recursive: true, force: true });
  });

  it('tells why it cut a connection that is not HTTP/2', async () => {
    const socket = connectTo(address);
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(3));
    await expect.poll(() => events, { timeout: 10_000 }).toContain('connection-cut');
    socket.destroy();
    expect(errors[0]).toBeInstanceOf(Error);
    expect((errors[0] as Error).message).not.toBe('');
  });

  it.runIf(tcp === (Kind === GrpcTransport))(
    'tells when the last connection of an Envoy has been closed for a while',
    { timeout: 15_000 },
    async () => {
      const ask = async (one: ScriptedEnvoy): Promise<void> => {
        const stream = one.open();
        stream.send(phases['requestHeaders']!);
        await stream.until(1);
        stream.cancel();
      };
      await ask(envoy);
      const [peer] = peers;
      envoy.close();
      // It has come back before it counts as gone.
      const again = new ScriptedEnvoy(address);
      await ask(again);
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      expect(peers).toEqual([peer, peer]);
      again.close();
      await expect.poll(() => peers.at(-1), { timeout: 8_000 }).toBe(`${peer!} gone`);
    },
  );

  describe('a request stream', () => {
    it('asks for the body, changes it, and is ended by Sluice', async () => {
      const stream = envoy.open();
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
      gateway.request = { kind: 'read-body', beginning: true, handler: { take, aborted: () => undefined } };
      const stream = envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      expect(stream.replies[0]).toMatchObject({ mode_override: { request_body_mode: 'BUFFERED_PARTIAL' } });
      stream.send(phases['requestBody']!);
      expect(await stream.over()).toBe(0);
      expect(seen).toEqual([false]);
    });

    it('tells the gateway when Envoy ended the stream before it saw the plan', async () => {
      const stream = envoy.open();
      stream.send(phases['requestHeaders']!);
      stream.send(phases['requestBody']!);
      stream.halfClose();
      expect(await stream.over()).toBe(0);
      await expect.poll(() => gateway.notes).toEqual(['request', 'body 2', 'unseen']);
    });

    it('lets a request pass with its headers alone', async () => {
      gateway.request = { kind: 'pass', metadata: { reason: 'unknown-path' } };
      const stream = envoy.open();
      stream.send(phases['requestHeaders']!);
      expect(await stream.over()).toBe(0);
      expect(stream.replies).toHaveLength(1);
      expect(stream.replies[0]).not.toHaveProperty('mode_override');
    });

    it('tells the gateway when the client went away before the body', async () => {
      const stream = envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      stream.cancel();
      await expect.poll(() => gateway.notes).toEqual(['request', 'aborted']);
      expect(events).toEqual(['request-aborted']);
    });

    it('passes a request on when the gateway breaks its word and throws', async () => {
      gateway.fails = true;
      const stream = envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      expect(stream.replies[0]).toHaveProperty('request_headers');
      expect(events).toEqual(['gateway-error']);
      expect(errors).toMatchObject([{ message: 'a bug' }]);
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
      gateway.bodyPlan = { kind: 'later', ms: 0, result };
    });

    const opened = async () => {
      const stream = envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      stream.send(phases['requestBody']!);
      await expect.poll(() => gateway.notes).toContain('body 2');
      return stream;
    };

    it('is answered once the plan is there, and then ended', async () => {
      const stream = await opened();
      expect(stream.replies).toHaveLength(1);
      decide({ kind: 'forward', body: Buffer.from('late') });
      expect(await stream.over()).toBe(0);
      expect(stream.replies[1]).toMatchObject({ request_body: { response: { body_mutation: { body: Buffer.from('late') } } } });
      expect(gateway.notes).toEqual(['request', 'body 2']);
    });

    it.each([
      ['at once', true],
      ['later', false],
    ])('asks Envoy %s for the time that it needs, with some to spare', async (_name, atOnce) => {
      let finish: (plan: BodyPlan) => void = () => undefined;
      const wait: Later<BodyPlan> = { kind: 'later', ms: 20_000, result: new Promise((resolve) => (finish = resolve)) };
      if (atOnce) gateway.bodyPlan = wait;
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
      await expect.poll(() => gateway.notes).toEqual(['request', 'body 2', 'aborted']);
      decide({ kind: 'forward' });
      await stream.over();
      expect(stream.replies).toHaveLength(1);
      expect(events).toEqual(['request-aborted']);
    });

    it('passes when the promise breaks', async () => {
      const stream = await opened();
      fail(new Error('a bug'));
      await stream.until(2);
      expect(stream.replies[1]).toHaveProperty('request_body');
      expect(events).toEqual(['gateway-error']);
      expect(errors).toMatchObject([{ message: 'a bug' }]);
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
      expect(gateway.notes).toEqual(['request', 'body 2', 'aborted', 'response x', 'end whole=false cancelled=false']);
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
      expect(gateway.notes.filter((note) => note === 'aborted')).toHaveLength(names.length ** 2);
      expect(gateway.notes.filter((note) => note.startsWith('response x')).length).toBe(
        gateway.notes.filter((note) => note.startsWith('end ')).length,
      );
    });
  });

  describe('a stream for both the request and its answer', () => {
    const metadata = { id: 'x', answer: 'inline', model: 'small', attempts: '1' };
    const answer: Message = { response_headers: { headers: headerMap({ ':status': '200' }) } };

    beforeEach(() => {
      gateway.bodyPlan = { kind: 'forward', body: Buffer.from('changed'), metadata };
    });

    const forwarded = async () => {
      const stream = envoy.open();
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
      expect(gateway.notes).toEqual(['request', 'body 2', 'response x', 'chunk a', 'chunk b', 'end whole=true cancelled=false']);
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
      expect(events).toEqual([]);
    });

    it('reads the answer to a request that passed with its headers alone, whose body comes all the same', async () => {
      gateway.request = { kind: 'pass', metadata };
      const stream = envoy.open();
      stream.send(phases['requestHeaders']!);
      stream.send(phases['requestBody']!);
      stream.send(answer);
      stream.send({ response_body: { body: Buffer.from('b'), end_of_stream: true } });
      expect(await stream.over()).toBe(0);
      expect(gateway.notes).toEqual(['request', 'response x', 'chunk b', 'end whole=true cancelled=false']);
      expect(events).toEqual([]);
    });

    it('ends after its own answer', async () => {
      gateway.bodyPlan = {
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
      await expect.poll(() => gateway.notes).toEqual(['request', 'body 2', 'unseen', 'logged x']);
    });
  });

  describe('a response stream in observability mode', () => {
    const copy = (message: Message): Message => ({ ...message, observability_mode: true });

    it('feeds the observer and replies nothing', async () => {
      const stream = envoy.open();
      stream.send(copy(phases['responseHeaders']!));
      stream.send(copy(phases['responseBody']!));
      stream.send(copy({ response_body: { body: Buffer.from('b'), end_of_stream: true } }));
      expect(await stream.over()).toBe(0);
      expect(gateway.notes).toEqual(['response x', 'chunk a', 'chunk b', 'end whole=true cancelled=false']);
      expect(stream.replies).toEqual([]);
    });

    it('ends at once when there is nothing to read', async () => {
      const stream = envoy.open();
      stream.send(copy({ response_headers: { headers: headerMap({ ':status': '200' }) } }));
      expect(await stream.over()).toBe(0);
    });

    it('says that the answer was not whole when the stream just stops', async () => {
      const stream = envoy.open();
      stream.send(copy(phases['responseHeaders']!));
      stream.send(copy(phases['responseBody']!));
      await expect.poll(() => gateway.notes.length).toBe(2);
      stream.halfClose();
      await expect.poll(() => gateway.notes.at(-1)).toBe('end whole=false cancelled=false');
    });
  });

  describe('any order of phases', () => {
    const names = Object.keys(phases);
    const orders: string[][] = [];
    for (const a of names) for (const b of names) for (const c of names) orders.push([a, b, c]);

    it('gets one reply a phase until Sluice ends the stream, and never hangs or crashes', async () => {
      for (const order of orders) {
        const stream = envoy.open();
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
      const begun = gateway.notes.filter((note) => note === 'request').length;
      const settled = gateway.notes.filter((note) => note === 'aborted' || note.startsWith('body ')).length;
      expect(settled).toBe(begun);
      expect(gateway.notes.filter((note) => note.startsWith('response x')).length).toBe(
        gateway.notes.filter((note) => note.startsWith('end ')).length,
      );
    });
  });

  describe('the server', () => {
    it('ends a stream that sends garbage, counts it, and serves the next', async () => {
      const bad = envoy.open();
      bad.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
      expect(await bad.over()).toBe(3);
      expect(events).toEqual(['decode-error']);
      const good = envoy.open();
      good.send(phases['requestHeaders']!);
      await good.until(1);
      good.cancel();
    });

    it('takes a body of 32 MiB', async () => {
      const stream = envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      stream.send({ request_body: { body: Buffer.alloc(32 * 1024 * 1024, 0x61), end_of_stream: true } });
      await stream.until(2);
      expect(gateway.notes).toContain(`body ${32 * 1024 * 1024}`);
    });

    it('answers the standard health check, and says NOT_SERVING while it drains', async () => {
      const client = new Client(address, credentials.createInsecure());
      const check = () =>
        new Promise<number>((resolve, reject) => {
          client.makeUnaryRequest(
            '/grpc.health.v1.Health/Check',
            (bytes: Buffer) => bytes,
            (bytes: Buffer) => bytes,
            Buffer.alloc(0),
            new Metadata(),
            (error, reply) => {
              if (error !== null) reject(new Error(error.details));
              else resolve(reply?.[1] ?? 0);
            },
          );
        });
      expect(await check()).toBe(1);
      const open = envoy.open();
      open.send(phases['requestHeaders']!);
      await open.until(1);
      const drained = transport.drain(1_000);
      // A draining server takes no new calls; the open stream ends in its own time.
      open.send(phases['requestBody']!);
      expect(await open.over()).toBe(0);
      client.close();
      await drained;
    });

    it('takes the place of a socket file that a killed process left behind', async () => {
      const path = join(folder, 'stale.sock');
      writeFileSync(path, '');
      const second = new Kind();
      await expect(second.listen(`unix:${path}`, quiet)).resolves.toBe(`unix:${path}`);
      await second.drain(0);
    });

    it('refuses an address on which somebody listens', async () => {
      const second = new Kind();
      await expect(second.listen(address, quiet)).rejects.toThrow(/another process|EADDRINUSE/);
    });

    it('tells which exchanges are over, from Envoy’s access log', async () => {
      const client = new Client(address, credentials.createInsecure());
      const call = logCall(client, () => undefined);
      call.write(
        encodeAccessLog([
          { common_properties: { metadata: { filter_metadata: { other: struct({ id: 'no' }), sluice: struct({ id: 'a' }) } } } },
          {},
        ]),
      );
      call.write(logOf('b'));
      await expect.poll(() => gateway.notes).toEqual(['logged a', 'logged b']);
      call.write(Buffer.from([0xff]));
      await expect.poll(() => events).toEqual(['decode-error']);
      client.close();
    });

    it('drains without waiting for Envoy’s access log, which has no end', async () => {
      const client = new Client(address, credentials.createInsecure());
      const ended = new Promise<unknown>((resolve) => {
        const call = logCall(client, resolve);
        call.write(logOf('a'));
      });
      await expect.poll(() => gateway.notes).toEqual(['logged a']);
      // What waits in vain is cut after the grace: here the test's own time would be over.
      await transport.drain(600_000);
      await ended;
      client.close();
    });

    it('drains once it has heard of all that it awaits', async () => {
      awaited = 2;
      const client = new Client(address, credentials.createInsecure());
      const call = logCall(client, () => undefined);
      const tell = (id: string): boolean => call.write(logOf(id));
      tell('a');
      await expect.poll(() => gateway.notes).toEqual(['logged a']);
      let over = false;
      const drained = transport.drain(600_000).then(() => (over = true));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(over).toBe(false);
      tell('b');
      await drained;
      expect(gateway.notes).toEqual(['logged a', 'logged b']);
      client.close();
    });

    it('never throws and serves on, whatever bytes come in a call', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), encodedPhase), { maxLength: 6 }), async (messages) => {
          const stream = envoy.open();
          for (const bytes of messages) stream.sendBytes(Buffer.from(bytes));
          stream.halfClose();
          expect([0, 3]).toContain(await stream.over());
        }),
        runs(60),
      );
      const good = envoy.open();
      good.send(phases['requestHeaders']!);
      await good.until(1);
      good.cancel();
      expect(events.filter((event) => event === 'gateway-error')).toEqual([]);
    });

    it('never throws and serves on, whatever bytes come on a connection', async () => {
      const piece = fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc
          .tuple(fc.nat(10), fc.nat(255), fc.nat(9), fc.uint8Array({ maxLength: 30 }))
          .map(([type, flags, id, payload]) => frameOf(type, flags, id, payload)),
      );
      await fc.assert(
        fc.asyncProperty(fc.boolean(), fc.array(piece, { maxLength: 8 }), async (greets, pieces) => {
          const socket = connectTo(address);
          const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
          socket.on('error', () => undefined);
          socket.resume();
          socket.end(Buffer.concat([...(greets ? [preface, settingsFrame([])] : []), ...pieces]));
          await over;
        }),
        runs(40),
      );
      const good = envoy.open();
      good.send(phases['requestHeaders']!);
      await good.until(1);
      good.cancel();
    });
  });
});
