import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { CoreV1Api, type KubeConfig, type V1ConfigMap } from '@kubernetes/client-node';
import { isSame, joined, nothingAgreed, readAgreed, type Agreed } from '../experiments/agreed.ts';
import type { SharedRollouts } from '../experiments/agreement.ts';
import { messageOf } from '../lib/message-of.ts';
import { apiFailure, apiStatus, within } from './client.ts';

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

/** The used part of the API server's client. */
export type ConfigMapApi = Pick<CoreV1Api, 'readNamespacedConfigMap' | 'replaceNamespacedConfigMap'>;

export interface SharedRolloutsOptions {
  readonly config: KubeConfig;
  /** The ConfigMap, which must exist; what else is in it stays. */
  readonly namespace: string;
  readonly name: string;
  readonly onError: (failure: string) => void;
  /** How often it is read for what others wrote, in ms. */
  readonly intervalMs?: number;
  /** For tests. */
  readonly api?: ConfigMapApi;
}

/** Its key in `binaryData`. */
const key = 'rollouts.json.br';

/** Largest compressed value: the API server takes at most a megabyte. */
const mostBytes = 768 * 1024;

/** Largest text that is read. */
const mostText = 64 * 1024 * 1024;

/** How long a start waits for it, and how long one call may take, in ms. */
const patienceMs = 5_000;
const callMs = 10_000;

/** Pauses after failures, in ms: doubled from the first to the last; and after a write of another replica. */
const firstRetryMs = 200;
const lastRetryMs = 10_000;
const conflictMs = 100;

/** How long a stopping replica tries to write what it has not written yet, in ms. */
const closeMs = 3_000;

/**
 * What replicas know of the edits of the policy, in one ConfigMap. Each reads it, joins what it knows, and writes the result on top of the
 * version that it read: again after a write of another one, and after a failure, until everything is there.
 */
export class ConfigMapRollouts implements SharedRollouts {
  agreed: Agreed | null = null;
  readonly #options: SharedRolloutsOptions;
  readonly #api: ConfigMapApi;
  readonly #listeners = new Set<() => void>();
  /** What this replica knows; null before it knows what the others know. And what of that was read back or written. */
  #own: Agreed | null = null;
  #there: Agreed | null = null;
  #isRefused = false;
  #isClosing = false;
  #failed = false;
  #retryMs = firstRetryMs;
  /** Ends a pause. */
  #wake: AbortController | null = null;
  #running: Promise<void> = Promise.resolve();

  private constructor(options: SharedRolloutsOptions) {
    this.#options = options;
    this.#api = options.api ?? options.config.makeApiClient(CoreV1Api);
  }

  /** Resolves once it was read, or could not be within five seconds. It is read until it was. */
  static async open(options: SharedRolloutsOptions): Promise<ConfigMapRollouts> {
    const rollouts = new ConfigMapRollouts(options);
    const first = rollouts.#round();
    rollouts.#running = first.then(() => rollouts.#run());
    await within(first, patienceMs).catch((error: unknown) => rollouts.#fail(error));
    return rollouts;
  }

  /** False until it was read, or the API server has said that it cannot be. */
  get known(): boolean {
    return this.agreed !== null || this.#isRefused;
  }

  join(own: Agreed): void {
    this.#own = own;
    if (this.agreed !== null && isSame(joined(this.agreed, own), this.agreed)) this.#there = own;
    else this.#wake?.abort();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#wake?.abort();
    await within(this.#running, closeMs).catch((error: unknown) => this.#fail(error));
    this.#there = this.#own;
  }

  async #run(): Promise<void> {
    const { intervalMs = 5_000 } = this.#options;
    while (!this.#isClosing || this.#own !== this.#there) {
      if (this.#own === this.#there || this.#failed) await this.#pause(this.#failed ? this.#retryMs : intervalMs);
      if ((await this.#round()) === 'again') await sleep(Math.random() * conflictMs);
    }
  }

  async #pause(ms: number): Promise<void> {
    this.#wake = new AbortController();
    // Randomised, so that replicas do not come at the same moment.
    await sleep(ms * (0.75 + Math.random() / 2), undefined, { signal: this.#wake.signal, ref: false }).catch(() => undefined);
    this.#wake = null;
  }

  /** Reads it, and writes it if something of this replica is missing. `again`: another one wrote in between. Never rejects. */
  async #round(): Promise<'done' | 'again'> {
    try {
      const { namespace, name } = this.#options;
      const body = await within(this.#api.readNamespacedConfigMap({ namespace, name }), callMs);
      const there = await agreedIn(body);
      const own = this.#own;
      const all = own === null ? there : joined(there, own);
      const news = isSame(all, there) ? null : await fitting(all, there);
      if (news !== null) {
        body.binaryData = { ...body.binaryData, [key]: news.bytes.toString('base64') };
        await within(this.#api.replaceNamespacedConfigMap({ namespace, name, body }), callMs);
      }
      this.#failed = false;
      this.#retryMs = firstRetryMs;
      this.#there = own;
      this.#take(news?.agreed ?? there);
      return 'done';
    } catch (error) {
      if (apiStatus(error) === 409) return 'again';
      this.#fail(error);
      return 'done';
    }
  }

  #take(agreed: Agreed): void {
    const isNew = this.agreed === null || !isSame(agreed, this.agreed);
    this.agreed = agreed;
    if (isNew) for (const listener of this.#listeners) listener();
  }

  /** Said once per series of failures. */
  #fail(error: unknown): void {
    const status = apiStatus(error);
    // What the API server refuses, or what nobody here can read, will be no other in a second; one that is away or busy answers later.
    if (error instanceof Unreadable || (status !== null && status >= 400 && status < 500 && status !== 429)) this.#isRefused = true;
    if (!this.#failed) this.#options.onError(status === null && error instanceof Error ? messageOf(error) : apiFailure(error));
    else this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
    this.#failed = true;
  }
}

/** What a ConfigMap holds. Rejects if it is nothing that this version can read: it must not be replaced then. */
async function agreedIn({ binaryData }: V1ConfigMap): Promise<Agreed> {
  const value = binaryData?.[key];
  if (value === undefined) return nothingAgreed;
  try {
    return readAgreed((await decompress(Buffer.from(value, 'base64'), { maxOutputLength: mostText })).toString());
  } catch (error) {
    throw new Unreadable(`${key} is nothing that this version reads: ${messageOf(error)}`, { cause: error });
  }
}

class Unreadable extends Error {}

/** What is written: without the policies' texts where they are too large. Null if that is there already. */
async function fitting(all: Agreed, there: Agreed): Promise<{ readonly agreed: Agreed; readonly bytes: Buffer } | null> {
  const bytes = await compressed(all);
  if (bytes.length <= mostBytes) return { agreed: all, bytes };
  const agreed = { ...all, texts: {} };
  return isSame(agreed, there) ? null : { agreed, bytes: await compressed(agreed) };
}

function compressed(agreed: Agreed): Promise<Buffer> {
  const text = JSON.stringify(agreed);
  return compress(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: text.length } });
}
