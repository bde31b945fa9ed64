import { connect, type Socket } from 'node:net';
import { flag, frameHeaderBytes, frameOf, frameType, maxFramePayload, numbersFrame, preface, putFrameHeader, settingsFrame, setting } from '../src/extproc/h2/frames.ts';
import { encodeParts, bytesField, messageField, stringField, varintField, type Part } from '../src/extproc/wire.ts';
import { frame, prefixBytes } from '../src/extproc/grpc-frames.ts';

/**
 * Envoy's part on Sluice's Unix socket and no more: whole exchanges (headers, body, copies of the answer), their messages encoded once,
 * so that what is measured is the processor and not its driver.
 */

/** HEADERS that enter the peer's table the first time and are one byte each afterwards, as Envoy's encoder sends them. */
const headers: readonly (readonly [string, string])[] = [
  [':method', 'POST'],
  [':path', '/envoy.service.ext_proc.v3.ExternalProcessor/Process'],
  [':scheme', 'http'],
  [':authority', 'sluice'],
  ['te', 'trailers'],
  ['content-type', 'application/grpc'],
];

const literal = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
const firstBlock: Buffer = Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0x40]), literal(name), literal(value)]));
/** The table's first own entry is 62, and the newest. */
const laterBlock: Buffer = Buffer.from(headers.map((_, index) => 0x80 | (62 + headers.length - 1 - index)));

/** What an app's request looks like when it reaches Envoy's filter. */
const requestHeaders: readonly (readonly [string, string])[] = [
  [':authority', '127.0.0.1:10000'],
  [':path', '/v1/chat/completions'],
  [':method', 'POST'],
  [':scheme', 'http'],
  ['accept', 'application/json'],
  ['content-type', 'application/json'],
  ['user-agent', 'OpenAI/JS 6.9.1'],
  ['x-stainless-lang', 'js'],
  ['x-stainless-os', 'Linux'],
  ['x-stainless-arch', 'x64'],
  ['x-stainless-runtime', 'node'],
  ['x-stainless-runtime-version', 'v24.11.1'],
  ['x-stainless-retry-count', '0'],
  ['authorization', 'Bearer sk-bench-0000000000000000000000000000000000000000'],
  ['x-forwarded-proto', 'http'],
  ['x-request-id', 'f0a7c3a6-3a3c-4c3b-9d21-6e6c5d0f7c11'],
];

const responseHeaders: readonly (readonly [string, string])[] = [
  [':status', '200'],
  ['content-type', 'application/json'],
  ['date', 'Tue, 04 Nov 2025 10:00:00 GMT'],
  ['x-envoy-upstream-service-time', '412'],
];

const headerMap = (pairs: readonly (readonly [string, string])[], contentLength: number): Part =>
  messageField(1, [...pairs, ['content-length', String(contentLength)] as const].map(([name, value]) => messageField(1, [stringField(1, name), bytesField(3, Buffer.from(value))])));

const usage = { prompt_tokens: 250, completion_tokens: 60, total_tokens: 310, prompt_tokens_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 0 } };
const answer: Buffer = Buffer.from(JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'gpt-5-nano', choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(600) }, finish_reason: 'stop' }], usage }));

/** The frames of one exchange, each with stream id 0, and where its id stands. */
export interface ExchangeFrames {
  readonly requestHeaders: Buffer;
  readonly requestBody: Buffer;
  readonly answerBody: Buffer;
}

const message = (field: number, parts: readonly Part[], more: readonly Part[] = []): Buffer => frame(encodeParts([messageField(field, parts), ...more]));

/** Messages for requests with this body; the body is cut into frames as HTTP/2 demands. */
export function exchangeFrames(body: Buffer): ExchangeFrames {
  return {
    requestHeaders: dataFrames(message(2, [headerMap(requestHeaders, body.length)])),
    requestBody: dataFrames(message(4, [bytesField(1, body), varintField(2, 1)])),
    answerBody: dataFrames(message(5, [bytesField(1, answer), varintField(2, 1)], [varintField(10, 1)])),
  };
}

function dataFrames(bytes: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += maxFramePayload) pieces.push(frameOf(frameType.data, 0, 0, bytes.subarray(at, at + maxFramePayload)));
  return Buffer.concat(pieces);
}

/** The copies of an answer's headers, with the metadata that finds its request: `id` is Sluice's. */
function answerHead(id: string): Buffer {
  const struct = messageField(1, [stringField(1, 'id'), messageField(2, [stringField(3, id)])]);
  const metadata = messageField(8, [messageField(1, [stringField(1, 'sluice'), messageField(2, [struct])])]);
  return dataFrames(message(3, [headerMap(responseHeaders, answer.length)], [metadata, varintField(10, 1)]));
}

/** `frames` for this stream. */
function addressed(frames: Buffer, id: number): Buffer {
  const copy = Buffer.from(frames);
  for (let at = 0; at < copy.length; at += frameHeaderBytes + copy.readUIntBE(at, 3)) copy.writeUInt32BE(id, at + 5);
  return copy;
}

/** Where the id stands in a reply's metadata: a Struct's entry with this key, and a string of 36 characters. */
const idMark: Buffer = Buffer.from([0x0a, 2, 0x69, 0x64, 0x12, 38, 0x1a, 36]);

/** What is awaited on a stream: the answer to the headers, to the body, or nothing. */
type Step = 'headers' | 'body' | 'copy';

interface Open {
  step: Step;
  readonly startedAt: number;
  readonly frames: ExchangeFrames;
  /** The reply's bytes so far; only its metadata is looked for, at its end. */
  tail: Buffer;
  readonly done: (ms: number, decided: boolean) => void;
}

/** One connection. Exchanges run on it side by side. */
export class DirectClient {
  readonly #socket: Socket;
  readonly #open = new Map<number, Open>();
  #nextStream = 1;
  #sawFirst = false;
  #rest: Buffer = Buffer.alloc(0);
  #received = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('error', () => undefined);
    socket.write(Buffer.concat([preface, settingsFrame([[setting.initialWindowSize, 256 * 1024 * 1024]]), numbersFrame(frameType.windowUpdate, 0, 1_073_741_824)]));
  }

  static connect(path: string): Promise<DirectClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => resolve(new DirectClient(socket)));
      socket.once('error', reject);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** One exchange. Resolves with the time until the decision was there, in ms, and whether there was one; the copies of the answer follow it. */
  exchange(frames: ExchangeFrames): Promise<{ readonly ms: number; readonly decided: boolean }> {
    return new Promise((resolve) => {
      const id = this.#stream();
      this.#open.set(id, { step: 'headers', startedAt: performance.now(), frames, tail: Buffer.alloc(0), done: (ms, decided) => resolve({ ms, decided }) });
      this.#socket.write(Buffer.concat([this.#headersFrame(id), addressed(frames.requestHeaders, id)]));
    });
  }

  #stream(): number {
    const id = this.#nextStream;
    this.#nextStream += 2;
    return id;
  }

  #headersFrame(id: number): Buffer {
    const block = this.#sawFirst ? laterBlock : firstBlock;
    this.#sawFirst = true;
    return frameOf(frameType.headers, flag.endHeaders, id, block);
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#received += chunk.length;
    while (bytes.length >= frameHeaderBytes) {
      const length = frameHeaderBytes + bytes.readUIntBE(0, 3);
      if (bytes.length < length) break;
      this.#frame(bytes[3]!, bytes[4]!, bytes.readUInt32BE(5) & 0x7fff_ffff, bytes.subarray(frameHeaderBytes, length));
      bytes = bytes.subarray(length);
    }
    this.#rest = bytes.length === 0 ? bytes : Buffer.from(bytes);
    if (this.#received > 256 * 1024 * 1024) {
      this.#socket.write(numbersFrame(frameType.windowUpdate, 0, this.#received));
      this.#received = 0;
    }
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === frameType.settings && (flags & flag.ack) === 0) {
      const ack = Buffer.allocUnsafe(frameHeaderBytes);
      putFrameHeader(ack, 0, 0, frameType.settings, flag.ack, 0);
      this.#socket.write(ack);
      return;
    }
    const open = this.#open.get(id);
    if (open === undefined) return;
    const ends = (flags & flag.endStream) !== 0 || type === frameType.resetStream;
    if (type === frameType.data && open.step === 'headers' && payload.length > prefixBytes) {
      open.step = 'body';
      this.#socket.write(addressed(open.frames.requestBody, id));
      return;
    }
    if (type === frameType.data && open.step === 'body') open.tail = payload.length >= 4_096 || open.tail.length === 0 ? Buffer.from(payload.subarray(-4_096)) : Buffer.concat([open.tail, payload]);
    if (ends) this.#ended(id, open);
  }

  #ended(id: number, open: Open): void {
    this.#open.delete(id);
    if (open.step === 'copy') return;
    const found = open.tail.indexOf(idMark);
    const decided = found >= 0;
    const out = [numbersFrame(frameType.resetStream, id, 0)];
    if (decided) {
      const from = found + idMark.length;
      const copy = this.#stream();
      this.#open.set(copy, { ...open, step: 'copy' });
      out.push(this.#headersFrame(copy), addressed(answerHead(open.tail.toString('latin1', from, from + 36)), copy), addressed(open.frames.answerBody, copy), frameOf(frameType.data, flag.endStream, copy, Buffer.alloc(0)));
    }
    this.#socket.write(Buffer.concat(out));
    open.done(performance.now() - open.startedAt, decided);
  }
}
