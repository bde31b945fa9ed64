import { setTimeout as sleep } from 'node:timers/promises';
import { CoreV1Api, ListWatch, Watch, type KubeConfig, type V1ConfigMap } from '@kubernetes/client-node';
import { limits } from '../lib/limits.ts';
import { apiFailure } from './client.ts';
import { policyKeys, type PolicyConfigMap } from './compose.ts';

export interface ConfigMapWatchOptions {
  readonly config: KubeConfig;
  /** Namespaces to watch; empty for all. */
  readonly namespaces: readonly string[];
  readonly labelSelector: string;
  /** Called on every change once all namespaces have been listed, always with the complete set. */
  readonly onChange: (configMaps: readonly PolicyConfigMap[]) => void;
  /** Called when a connection was lost or refused; it is retried. Once per series of failures. */
  readonly onError: (namespace: string, failure: string) => void;
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

/** The labelled ConfigMaps of some namespaces, kept up to date by list and watch across API server outages. */
export class ConfigMapWatch {
  readonly #options: ConfigMapWatchOptions;
  readonly #streams: NamespaceStream[];
  #settle: NodeJS.Timeout | null = null;

  constructor(options: ConfigMapWatchOptions) {
    this.#options = options;
    const namespaces = options.namespaces.length === 0 ? [null] : [...new Set(options.namespaces)];
    this.#streams = namespaces.map((namespace) => new NamespaceStream(options, namespace, () => this.#changed()));
  }

  start(): void {
    for (const stream of this.#streams) stream.start();
  }

  /** Whether every namespace was listed once. */
  get synced(): boolean {
    return this.#streams.every(({ synced }) => synced);
  }

  /** Whether every namespace is being watched now. */
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
      if (this.synced) this.#options.onChange(this.#streams.flatMap((stream) => stream.configMaps()).slice(0, limits.policyConfigMaps));
    }, settleMs);
  }
}

class NamespaceStream {
  synced = false;
  connected = false;
  readonly #options: ConfigMapWatchOptions;
  readonly #namespace: string;
  readonly #informer: ListWatch<V1ConfigMap>;
  #retry: NodeJS.Timeout | null = null;
  #retryMs = firstRetryMs;
  #closed = false;
  #said = false;

  constructor(options: ConfigMapWatchOptions, namespace: string | null, changed: () => void) {
    this.#options = options;
    this.#namespace = namespace ?? '*';
    const { config, labelSelector } = options;
    const api = config.makeApiClient(CoreV1Api);
    const path = namespace === null ? '/api/v1/configmaps' : `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps`;
    const list = async (): Promise<Awaited<ReturnType<typeof api.listConfigMapForAllNamespaces>>> => {
      const listed = await within(
        namespace === null
          ? api.listConfigMapForAllNamespaces({ labelSelector })
          : api.listNamespacedConfigMap({ namespace, labelSelector }),
        listMs,
      );
      // The library updates its cache right after this; the delay is long enough for that.
      this.synced = true;
      changed();
      return listed;
    };
    const informer = new ListWatch<V1ConfigMap>(path, new Watch(config), list, false, labelSelector, undefined, {
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

  configMaps(): PolicyConfigMap[] {
    return this.#informer.list().map(fromKubernetes);
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
    if (!this.#said) this.#options.onError(this.#namespace, apiFailure(error));
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

function fromKubernetes({ metadata, data }: V1ConfigMap): PolicyConfigMap {
  return {
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    created: new Date(metadata?.creationTimestamp ?? 0).getTime(),
    data: policyKeys(data),
  };
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  const cancel = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(ms, undefined, { signal: cancel.signal }).then(() => {
        throw new Error(`no answer within ${ms / 1000} s`);
      }),
    ]);
  } finally {
    cancel.abort();
  }
}
