import { setTimeout as sleep } from 'node:timers/promises';
import { ListWatch, Watch, type KubeConfig, type KubernetesListObject, type KubernetesObject } from '@kubernetes/client-node';
import { limits } from '../lib/limits.ts';
import { apiFailure, within } from './client.ts';
import type { PolicyObject } from './compose.ts';
import type { PolicyKind } from './policy-kinds.ts';

export interface PolicyObjectWatchOptions {
  readonly config: KubeConfig;
  /** Namespaces to watch; empty for all. */
  readonly namespaces: readonly string[];
  readonly kinds: readonly PolicyKind[];
  /** Called on every change once everything has been listed, always with the complete set. */
  readonly onChange: (objects: readonly PolicyObject[]) => void;
  /** Called when a connection was lost or refused; it is retried. Once per series of failures. `what`: `ConfigMaps of llm`. */
  readonly onError: (what: string, failure: string) => void;
}

/** Changes within this time are combined, in ms. */
const settleMs = 15;

/** Delays between retries, in ms: doubled from the first to the last. */
const firstRetryMs = 200;
const lastRetryMs = 5_000;

/** After clean closes without events the client library waits up to 30 s, which is too long for an edit. In ms. */
const reconnectMs = 250;

/** Time-out of a list, in ms. */
const listMs = 10_000;

/** The objects with policies of some namespaces, kept up to date by list and watch across API server outages. */
export class PolicyObjectWatch {
  readonly #options: PolicyObjectWatchOptions;
  readonly #streams: ObjectStream[];
  /** The versions that were given last. */
  #given: string | null = null;
  #settle: NodeJS.Timeout | null = null;

  constructor(options: PolicyObjectWatchOptions) {
    this.#options = options;
    const namespaces = options.namespaces.length === 0 ? [null] : [...new Set(options.namespaces)];
    this.#streams = options.kinds.flatMap((kind) =>
      namespaces.map((namespace) => new ObjectStream(options, kind, namespace, () => this.#changed())),
    );
  }

  start(): void {
    for (const stream of this.#streams) stream.start();
  }

  /** Whether every kind was listed once in every namespace. */
  get synced(): boolean {
    return this.#streams.every(({ synced }) => synced);
  }

  /** Whether every kind is being watched now in every namespace. */
  get connected(): boolean {
    return this.#streams.every(({ connected }) => connected);
  }

  async close(): Promise<void> {
    if (this.#settle !== null) clearTimeout(this.#settle);
    this.#settle = null;
    await Promise.all(this.#streams.map((stream) => stream.close()));
  }

  #changed(): void {
    if (this.#settle !== null) return;
    this.#settle = setTimeout(() => {
      this.#settle = null;
      // A namespace that was not listed yet would look empty.
      if (!this.synced) return;
      const objects = this.#streams.flatMap((stream) => stream.objects()).slice(0, limits.policyObjects);
      // Replicas write the status of LLMPolicies, which is no edit.
      const versions = objects.map(({ uid, resourceVersion }) => `${uid} ${resourceVersion}`).join('\n');
      if (versions === this.#given) return;
      this.#given = versions;
      this.#options.onChange(objects);
    }, settleMs);
  }
}

/** One kind in one namespace. */
class ObjectStream {
  synced = false;
  connected = false;
  readonly #options: PolicyObjectWatchOptions;
  readonly #kind: PolicyKind;
  readonly #namespace: string;
  readonly #informer: ListWatch<KubernetesObject>;
  #retry: NodeJS.Timeout | null = null;
  #retryMs = firstRetryMs;
  #closed = false;
  #said = false;

  constructor(options: PolicyObjectWatchOptions, kind: PolicyKind, namespace: string | null, changed: () => void) {
    this.#options = options;
    this.#kind = kind;
    this.#namespace = namespace ?? '*';
    const list = async (): Promise<KubernetesListObject<KubernetesObject>> => {
      const listed = await within(kind.list(namespace), listMs);
      // The library updates its cache right after this; the delay is long enough for that.
      this.synced = true;
      changed();
      return listed;
    };
    const watch = new Watch(options.config);
    const informer = new ListWatch<KubernetesObject>(kind.path(namespace), watch, list, false, kind.labelSelector, undefined, {
      delayFn: (ms) => sleep(Math.min(ms, reconnectMs)),
    });
    informer.on('change', changed);
    informer.on('error', (error: unknown) => this.#failed(error));
    this.#informer = informer;
  }

  start(): void {
    this.connected = true;
    // Resolves when the watch was answered, even with a failure: then the error handler has already run.
    this.#informer.start().then(
      () => {
        if (!this.connected) return;
        this.#retryMs = firstRetryMs;
        this.#said = false;
      },
      (error: unknown) => this.#failed(error),
    );
  }

  objects(): PolicyObject[] {
    return this.#informer.list().map((object) => this.#kind.read(object));
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#informer.stop();
  }

  /** After an error the library stays stopped until it is started again. It only lists again if it must. */
  #failed(error: unknown): void {
    if (this.#closed) return;
    this.connected = false;
    const { plural, failure } = this.#kind;
    if (!this.#said) this.#options.onError(`${plural} of ${this.#namespace}`, failure(error) ?? apiFailure(error));
    this.#said = true;
    if (this.#retry !== null) return;
    // Randomised, so that a fleet that lost the same server does not reconnect at the same moment.
    const wait = this.#retryMs * (0.75 + Math.random() / 2);
    this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.start();
    }, wait);
  }
}
