import { Worker } from 'node:worker_threads';
import { readExchange } from '../apis/index.ts';
import type { BodyMember, ReadResult, Recognition } from '../apis/types.ts';
import { inspectJson, type Inspection, type SensitivePattern } from '../apis/inspect/patterns.ts';
import { maskJson, type Masking, type MaskWish } from '../apis/mask/mask.ts';
import { limits } from '../lib/limits.ts';

type Readable = Recognition & { readonly kind: 'readable' };

/** A body that was read, and its current memory: a Buffer handed to a thread comes back as another Buffer over the same memory. */
export interface ReadBody {
  readonly read: ReadResult;
  readonly body: Buffer;
  /** Top-level members; null if not requested. */
  readonly members: BodyMember[] | null;
  /** Matches of the patterns for sensitive data; null if there are no patterns or the body is not JSON. */
  readonly inspection: Inspection | null;
  /** The masked body; null if masking is off or nothing matched. `failed`: not everything could be masked. */
  readonly masked: MaskedBody | 'failed' | null;
}

/** A body whose sensitive data is masked, parsed again after masking. */
export interface MaskedBody extends Masking {
  readonly read: ReadResult;
  readonly members: BodyMember[] | null;
}

/** What to extract from a body. */
export interface ReadWish {
  readonly members: boolean;
  /** Searched in all texts of the body. Bodies that must not pass unread wait for the thread. */
  readonly patterns: readonly SensitivePattern[];
  /** How matches are masked; nothing is masked if absent. */
  readonly mask?: Omit<MaskWish, 'patterns'>;
}

/** Message to the thread. The body's memory is transferred with it. */
export interface ReadJob {
  readonly number: number;
  readonly recognition: Readable;
  readonly memory: ArrayBuffer;
  readonly offset: number;
  readonly length: number;
  readonly wish: ReadWish;
}

/** Message from the thread: it has started, or a result with the body's memory. */
export type FromThread = { readonly kind: 'ready' } | ReadDone;

interface ReadDone {
  readonly kind: 'read';
  readonly number: number;
  readonly read: ReadResult;
  readonly memory: ArrayBuffer;
  readonly members: BodyMember[] | null;
  readonly inspection: Inspection | null;
  readonly masked: MaskedBody | 'failed' | null;
}

interface Waiting {
  readonly job: ReadJob;
  readonly resolve: (done: ReadBody) => void;
}

/**
 * Reads small bodies synchronously and large ones on a worker thread, so that other requests do not wait for them. The first large body
 * starts the thread; until it has started, large bodies are read synchronously too. Memory is transferred both ways, not copied; a body
 * that does not come back passes unread.
 */
export class BodyReader {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #ready = false;
  #number = 0;
  #closed = false;

  /** The promise never rejects. The caller must not use `body` afterwards: the body in the result replaces it. */
  read(recognition: Readable, body: Buffer, wish: ReadWish): ReadBody | Promise<ReadBody> {
    if (body.length < (wish.mask === undefined ? limits.inlineBodyBytes : limits.inlineMaskedBytes) || this.#closed)
      return readHere(recognition, body, wish);
    const worker = (this.#worker ??= this.#start());
    if (this.#waiting.size >= limits.bodiesBeingRead)
      return wish.patterns.length > 0 ? { ...lost, read: { ok: false, reason: 'overload' } } : readHere(recognition, body, wish);
    if (!this.#ready && wish.patterns.length === 0) return readHere(recognition, body, wish);
    const memory = ownMemory(body);
    const offset = memory === body.buffer ? body.byteOffset : 0;
    const job: ReadJob = { number: ++this.#number, recognition, memory, offset, length: body.length, wish };
    return new Promise((resolve) => {
      this.#waiting.set(job.number, { job, resolve });
      worker.postMessage(job, [memory]);
    });
  }

  /** Bodies that are being read pass unread. */
  close(): void {
    this.#closed = true;
    const worker = this.#worker;
    this.#worker = null;
    void worker?.terminate();
    this.#lose();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./body-worker.ts', import.meta.url), { name: 'body-reader', execArgv: [], env: {} });
    worker.unref();
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'ready') {
        this.#ready = this.#worker === worker;
        return;
      }
      const { number, read, memory, members, inspection, masked } = message;
      const waiting = this.#waiting.get(number);
      this.#waiting.delete(number);
      waiting?.resolve({
        read,
        body: Buffer.from(memory, waiting.job.offset, waiting.job.length),
        members,
        inspection,
        masked: fromThread(masked),
      });
    });
    const gone = (): void => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#ready = false;
      this.#lose();
    };
    worker.on('error', gone);
    worker.on('exit', gone);
    return worker;
  }

  #lose(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { resolve } of waiting) resolve(lost);
  }
}

const lost: ReadBody = {
  read: { ok: false, reason: 'internal-error' },
  body: Buffer.alloc(0),
  members: null,
  inspection: null,
  masked: null,
};

/** Reads a body on this thread. */
export function readHere(recognition: Readable, body: Buffer, wish: ReadWish): ReadBody {
  const members: BodyMember[] | null = wish.members ? [] : null;
  const read = readExchange(recognition, body, members);
  const inspection = read.ok && wish.patterns.length > 0 ? inspectJson(body, wish.patterns) : null;
  return { read, body, members, inspection, masked: inspection === null ? null : maskHere(recognition, body, wish, inspection) };
}

/** Masks the matches in a body and reads it again. Null if no masking rule matched. */
export function maskHere(
  recognition: Readable,
  body: Buffer,
  { mask, patterns, members: wanted }: ReadWish,
  { matched }: Inspection,
): MaskedBody | 'failed' | null {
  if (mask?.rules.some((rule, at) => rule !== null && matched[at] === true) !== true) return null;
  const masking = maskJson(body, { ...mask, patterns });
  if (masking === null) return 'failed';
  const members: BodyMember[] | null = wanted ? [] : null;
  return { ...masking, members, read: readExchange(recognition, masking.body, members) };
}

/** A Buffer that comes from a thread is only a Uint8Array. */
function fromThread(masked: ReadBody['masked']): ReadBody['masked'] {
  return masked === null || masked === 'failed'
    ? masked
    : { ...masked, body: Buffer.from(masked.body.buffer, masked.body.byteOffset, masked.body.byteLength) };
}

/** A body's memory may exceed the body by this many bytes (the rest of its message) and still be transferred without a copy. */
const messageRest = 1_024;

/** Memory that holds only this body: its own if a message was assembled in it, otherwise a copy. */
function ownMemory(body: Buffer): ArrayBuffer {
  const { buffer } = body;
  if (buffer instanceof ArrayBuffer && buffer.byteLength - body.length <= messageRest) return buffer;
  return new Uint8Array(body).buffer;
}
