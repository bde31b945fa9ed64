import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { CoreV1Api, type KubeConfig, type V1ConfigMap } from '@kubernetes/client-node';
import type { SharedRolloutState } from '../experiments/policies.ts';
import { messageOf } from '../lib/message-of.ts';
import { apiFailure, despiteConflicts } from './client.ts';

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

export interface SharedStateOptions {
  readonly config: KubeConfig;
  /** The ConfigMap, which must exist; what else is in it stays. */
  readonly namespace: string;
  readonly name: string;
  readonly onError: (failure: string) => void;
}

/** Its key in `binaryData`. */
const key = 'rollout.json.br';

/** Largest compressed state. Each status report of a replica writes the whole ConfigMap, and the API server takes at most a megabyte. */
const mostBytes = 192 * 1024;

/** Largest text that is read. */
const mostText = 64 * 1024 * 1024;

/** How long a start waits for it, in ms. */
const patienceMs = 5_000;

/**
 * The state of rollouts, with the texts of the policies in it, in a ConfigMap of all replicas. A new pod has no state of its own: without
 * this it would use a policy that the others try on a share of the requests, or have rolled back.
 */
export class SharedState implements SharedRolloutState {
  readonly #options: SharedStateOptions;
  readonly #api: CoreV1Api;
  /** What this replica read or wrote last. */
  #text: string | null = null;
  /** What is there is only replaced by a replica that knows it. */
  #isRead = false;
  #failed = false;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: SharedStateOptions) {
    this.#options = options;
    this.#api = options.config.makeApiClient(CoreV1Api);
  }

  /** Resolves once the state was read, or could not be within five seconds: then this replica neither uses it nor writes it. */
  static async open(options: SharedStateOptions): Promise<SharedState> {
    const state = new SharedState(options);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${patienceMs / 1_000} s`)), patienceMs);
    });
    try {
      const found = await Promise.race([state.#read(), late]);
      state.#text = await textOf(found);
      state.#isRead = true;
    } catch (error) {
      state.#fail(error);
    } finally {
      clearTimeout(timer);
    }
    return state;
  }

  /** What replicas before this one have kept; null if there is nothing. */
  get initial(): string | null {
    return this.#text;
  }

  /** Keeps a state in the background; the newest one wins. */
  write(text: string): void {
    if (!this.#isRead || text === this.#text) return;
    this.#text = text;
    this.#writing = this.#writing.then(() => this.#put(text));
  }

  async close(): Promise<void> {
    await this.#writing;
  }

  #read(): Promise<V1ConfigMap> {
    const { namespace, name } = this.#options;
    return this.#api.readNamespacedConfigMap({ namespace, name });
  }

  /** Never rejects. */
  async #put(text: string): Promise<void> {
    if (text !== this.#text) return;
    try {
      const params = { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: text.length };
      const bytes = await compress(text, { params });
      const fits = bytes.length <= mostBytes;
      const value = fits ? bytes.toString('base64') : undefined;
      const { namespace, name } = this.#options;
      await despiteConflicts(async () => {
        const body = await this.#read();
        const { [key]: before, ...others } = body.binaryData ?? {};
        if (before === value) return;
        body.binaryData = value === undefined ? others : { ...others, [key]: value };
        await this.#api.replaceNamespacedConfigMap({ namespace, name, body });
      });
      if (!fits) throw new Error(`it has ${bytes.length} bytes, compressed; at most ${mostBytes} are kept`);
      this.#failed = false;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Once per series of failures. */
  #fail(error: unknown): void {
    if (!this.#failed) this.#options.onError(error instanceof Error && !('code' in error) ? messageOf(error) : apiFailure(error));
    this.#failed = true;
  }
}

async function textOf({ binaryData }: V1ConfigMap): Promise<string | null> {
  const value = binaryData?.[key];
  return value === undefined ? null : (await decompress(Buffer.from(value, 'base64'), { maxOutputLength: mostText })).toString();
}
