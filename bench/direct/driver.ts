import { connect, type Socket } from 'node:net';
import {
  defaultWindow,
  flag,
  frameHeaderBytes,
  frameOf,
  frameType,
  maxFramePayload,
  numbersFrame,
  preface,
  setting,
  settingsFrame,
} from '../../src/extproc/h2/frames.ts';
import { frame as grpcFrame } from '../../src/extproc/grpc-frames.ts';
import { accessLogPath } from '../../src/extproc/access-log.ts';
import { answerCopies, countPlaceholder, idPlaceholder, logEntry, logMessage, requestBody, requestHeaders } from './messages.ts';

/** Headers with which Envoy opens every call: in full the first time, then from HPACK's static and dynamic tables. */
const callHeaders = [
  [':path', '/envoy.service.ext_proc.v3.ExternalProcessor/Process'],
  [':authority', 'sluice'],
  ['te', 'trailers'],
  ['content-type', 'application/grpc'],
  ['x-envoy-internal', 'true'],
  ['x-forwarded-for', '192.0.2.2'],
] as const;
/** `:method: POST` and `:scheme: http` of the static table. */
const staticPair = Buffer.from([0x83, 0x86]);
const staticEntries = 61;

const literal = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
const firstBlock = Buffer.concat([
  staticPair,
  ...callHeaders.flatMap(([name, value]) => [Buffer.from([0x40]), literal(name), literal(value)]),
]);
const laterBlock = Buffer.concat([
  staticPair,
  Buffer.from(callHeaders.map((_, index) => 0x80 | (staticEntries + callHeaders.length - index))),
]);

/** The same of the access log's call: its path enters no table. */
const logBlock = Buffer.concat([staticPair, Buffer.from([0x04]), literal(accessLogPath), laterBlock.subarray(staticPair.length + 1)]);

const nothing = Buffer.alloc(0);
const window = 0x1000_0000;
const windowEvery = 64 * 1024 * 1024;
/** The code with which Envoy resets a call that has ended. */
const resetCode = 2;

/** `fields { key: "id" value { string_value: … } }`, up to the 36 characters. */
const idMark = Buffer.from([0x0a, 0x02, 0x69, 0x64, 0x12, 0x26, 0x1a, 0x24]);
const idBytes = 36;
/** `fields { key: "answer" value { string_value: "log" } }`: no copies are wanted. */
const logMark = Buffer.from([0x0a, 0x06, ...Buffer.from('answer'), 0x12, 0x05, 0x1a, 0x03, ...Buffer.from('log')]);
/** Envoy flushes its log at this size or after 50 ms; here only at this size and at a run's end, so that runs are comparable. */
const logBytes = 16_384;
const answerFrames = answerCopies();
const entryBytes = logEntry();
const entryId = entryBytes.indexOf(idPlaceholder);
/** The metadata stands at the end of a reply, in far less than this. */
const tailBytes = 1_024;

/** Prepared frames of one call; only the stream id and the placeholders are filled in. */
class Template {
  readonly #bytes: Buffer;
  readonly #frames: number[] = [];
  readonly #marks: number[] = [];

  constructor(messages: readonly Buffer[], mark: string) {
    const frames: Buffer[] = [];
    let at = 0;
    for (const message of messages) {
      const framed = grpcFrame(message);
      for (let from = 0; from < framed.length; from += maxFramePayload) {
        const part = frameOf(frameType.data, 0, 0, framed.subarray(from, from + maxFramePayload));
        this.#frames.push(at);
        frames.push(part);
        at += part.length;
      }
    }
    this.#bytes = Buffer.concat(frames);
    for (let found = this.#bytes.indexOf(mark); found >= 0; found = this.#bytes.indexOf(mark, found + mark.length)) this.#marks.push(found);
  }

  fill(stream: number, value: string): Buffer {
    const bytes = Buffer.from(this.#bytes);
    for (const at of this.#frames) bytes.writeUInt32BE(stream, at + 5);
    for (const at of this.#marks) bytes.write(value, at, 'latin1');
    return bytes;
  }
}

/** Frames whose first is cut in two, with `bytes` of its payload in the first of them. */
function cut(frames: Buffer, bytes: number): Buffer {
  const end = frameHeaderBytes + bytes;
  const [first, second] = [Buffer.from(frames.subarray(0, end)), Buffer.from(frames.subarray(0, frameHeaderBytes))];
  first.writeUIntBE(bytes, 0, 3);
  second.writeUIntBE(frames.readUIntBE(0, 3) - bytes, 0, 3);
  return Buffer.concat([first, second, frames.subarray(end)]);
}

/** What one kind of exchange sends. */
export class ExchangePlan {
  readonly headers: Template;
  readonly body: Template;
  readonly answer = new Template(answerFrames, idPlaceholder);

  /** `body` may hold `countPlaceholder`. */
  constructor(body: Buffer) {
    this.headers = new Template([requestHeaders(body.length)], '\0');
    this.body = new Template([requestBody(body)], countPlaceholder);
  }
}

interface Call {
  readonly exchange: Exchange;
  step: 'headers' | 'body' | 'answer';
  tail: Buffer;
  /** Bytes that the stream's window has room for, and the frames of the body that wait for it. */
  window: number;
  rest: Buffer;
}

interface Exchange {
  readonly plan: ExchangePlan;
  readonly began: number;
  readonly done: (result: ExchangeResult) => void;
}

export interface ExchangeResult {
  /** From the request's headers to the end of the reply to its body, ms. */
  readonly ms: number;
  /** Whether the reply carried a decision. */
  readonly decided: boolean;
}

/**
 * Plays one worker of Envoy's against Sluice's socket: one connection, a call for each request, its answer in the access log's long call
 * or, where Sluice wants copies, in a call of its own.
 */
export class Driver {
  readonly #socket: Socket;
  readonly #calls = new Map<number, Call>();
  #next = 1;
  #count = 0;
  #held: Buffer = Buffer.alloc(0);
  #received = 0;
  /** What Sluice lets in on a new stream. */
  #streamWindow = defaultWindow;
  #failed: ((error: Error) => void) | null = null;
  /** The access log's call; 0: not open. */
  #log = 0;
  #entries: Buffer[] = [];
  #entriesBytes = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('close', () => this.#failed?.(new Error('Sluice closed the connection')));
    socket.on('error', (error) => this.#failed?.(error));
    socket.write(
      Buffer.concat([
        preface,
        settingsFrame([
          [setting.enablePush, 0],
          [setting.initialWindowSize, window],
        ]),
        numbersFrame(frameType.windowUpdate, 0, window - 65_535),
      ]),
    );
  }

  static async connect(path: string): Promise<Driver> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new Driver(socket);
  }

  close(): void {
    this.#failed = null;
    this.#socket.destroy();
  }

  /** One exchange. Never resolves when the connection breaks meanwhile. */
  exchange(plan: ExchangePlan): Promise<ExchangeResult> {
    return new Promise((done) => this.#begin({ plan, began: performance.now(), done }));
  }

  /** `count` exchanges, `concurrency` at a time, as fast as they are answered. Rejects when the connection breaks. */
  run(plan: ExchangePlan, count: number, concurrency: number): Promise<ExchangeResult[]> {
    const results: ExchangeResult[] = [];
    let begun = 0;
    return new Promise((resolve, reject) => {
      this.#failed = reject;
      const begin = (): void => {
        if (begun === count) return;
        begun++;
        this.#begin({
          plan,
          began: performance.now(),
          done: (result) => {
            results.push(result);
            if (results.length === count) {
              this.#sendLog();
              this.#failed = null;
              resolve(results);
            } else begin();
          },
        });
      };
      for (let at = 0; at < concurrency; at++) begin();
    });
  }

  #open(exchange: Exchange, step: Call['step']): number {
    const id = this.#next;
    this.#next += 2;
    this.#calls.set(id, { exchange, step, tail: nothing, window: this.#streamWindow, rest: nothing });
    this.#socket.write(frameOf(frameType.headers, flag.endHeaders, id, id === 1 ? firstBlock : laterBlock));
    return id;
  }

  #begin(exchange: Exchange): void {
    this.#socket.cork();
    const id = this.#open(exchange, 'headers');
    const headers = exchange.plan.headers.fill(id, '');
    this.#calls.get(id)!.window -= headers.length - frameHeaderBytes;
    this.#socket.write(headers);
    this.#socket.uncork();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    this.#socket.cork();
    while (bytes.length - at >= 9) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      this.#frame(bytes[at + 3]!, bytes[at + 4]!, bytes.readUInt32BE(at + 5), bytes.subarray(at + 9, end));
      at = end;
    }
    this.#socket.uncork();
    this.#held = Buffer.from(bytes.subarray(at));
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case frameType.settings:
        if ((flags & flag.ack) !== 0) return;
        for (let at = 0; at < payload.length; at += 6)
          if (payload.readUInt16BE(at) === setting.initialWindowSize) this.#streamWindow = payload.readUInt32BE(at + 2);
        this.#socket.write(frameOf(frameType.settings, flag.ack, 0, Buffer.alloc(0)));
        return;
      case frameType.windowUpdate:
        this.#opened(id, payload.readUInt32BE(0));
        return;
      case frameType.data:
        this.#received += payload.length;
        if (this.#received > windowEvery) {
          this.#socket.write(numbersFrame(frameType.windowUpdate, 0, this.#received));
          this.#received = 0;
        }
        this.#reply(id, payload);
        return;
      case frameType.headers:
        if ((flags & flag.endStream) !== 0) this.#ended(id);
        return;
      case frameType.resetStream:
      case frameType.goAway:
        this.#failed?.(new Error(`Sluice sent ${type === frameType.goAway ? 'GOAWAY' : 'RST_STREAM'}: ${payload.toString('hex')}`));
        return;
      default:
        return;
    }
  }

  #opened(id: number, bytes: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    call.window += bytes;
    this.#sendRest(call);
  }

  /** Sends what the window has room for. The frame that has no more room for all of its payload is cut in two. */
  #sendRest(call: Call): void {
    let at = 0;
    let left = call.rest;
    while (at < left.length && call.window > 0) {
      const length = left.readUIntBE(at, 3);
      if (length > call.window) {
        left = Buffer.concat([left.subarray(0, at), cut(left.subarray(at), call.window)]);
        continue;
      }
      call.window -= length;
      at += frameHeaderBytes + length;
    }
    if (at > 0) this.#socket.write(left.subarray(0, at));
    call.rest = left.subarray(at);
  }

  #reply(id: number, payload: Buffer): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    if (call.step === 'headers') {
      call.step = 'body';
      const body = call.exchange.plan.body.fill(id, `#${String(this.#count++).padStart(countPlaceholder.length - 1, '0')}`);
      call.rest = body;
      this.#sendRest(call);
      return;
    }
    call.tail =
      payload.length >= tailBytes ? Buffer.from(payload.subarray(-tailBytes)) : Buffer.concat([call.tail, payload]).subarray(-tailBytes);
  }

  #ended(id: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    this.#socket.write(numbersFrame(frameType.resetStream, id, resetCode));
    const { exchange } = call;
    if (call.step === 'answer') {
      exchange.done({ ms: NaN, decided: true });
      return;
    }
    const ms = performance.now() - exchange.began;
    const mark = call.tail.indexOf(idMark);
    const decided = mark >= 0;
    if (!decided) {
      exchange.done({ ms, decided });
      return;
    }
    const decision = call.tail.toString('latin1', mark + idMark.length, mark + idMark.length + idBytes);
    if (call.tail.includes(logMark)) {
      const entry = Buffer.from(entryBytes);
      entry.write(decision, entryId, 'latin1');
      this.#entries.push(entry);
      this.#entriesBytes += entry.length;
      if (this.#entriesBytes >= logBytes) this.#sendLog();
      exchange.done({ ms, decided });
      return;
    }
    const answer = this.#open({ ...exchange, done: () => exchange.done({ ms, decided }) }, 'answer');
    this.#socket.write(exchange.plan.answer.fill(answer, decision));
  }

  #sendLog(): void {
    if (this.#entries.length === 0) return;
    if (this.#log === 0) {
      this.#log = this.#next;
      this.#next += 2;
      this.#socket.write(frameOf(frameType.headers, flag.endHeaders, this.#log, logBlock));
    }
    const message = grpcFrame(logMessage(Buffer.concat(this.#entries)));
    for (let from = 0; from < message.length; from += maxFramePayload)
      this.#socket.write(frameOf(frameType.data, 0, this.#log, message.subarray(from, from + maxFramePayload)));
    this.#entries = [];
    this.#entriesBytes = 0;
  }
}
