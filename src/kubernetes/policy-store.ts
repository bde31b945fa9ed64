import type { KubeConfig } from '@kubernetes/client-node';
import type { Catalog } from '../catalog/types.ts';
import { limits } from '../lib/limits.ts';
import { compilePolicy, type CompileOptions } from '../policy/compile.ts';
import { PolicyCompiler, Rounds, whenThere, type Soon } from '../policy/compiler.ts';
import { PolicyFeed } from '../policy/feed.ts';
import type { KeptPolicy } from '../policy/kept.ts';
import type { PolicyFile, PolicySnapshot, PolicySourceState, Problem } from '../policy/types.ts';
import { compose, configMapId, newestVersion, type Composed, type PolicyConfigMap } from './compose.ts';
import { PolicyEvents } from './events.ts';
import { PolicyStatus } from './policy-status.ts';
import { meetsSelector } from './label-selector.ts';
import { ConfigMapWatch } from './watch.ts';

/** The result of applying a ConfigMap. */
export interface PolicyPreview {
  readonly accepted: boolean;
  /** Errors if it is rejected, otherwise warnings. */
  readonly problems: readonly Problem[];
  /** The policy that would be in force; null if it would not take effect. */
  readonly generation: PolicySnapshot | null;
}

/** The result of removing a ConfigMap. */
export interface RemovalPreview extends Omit<PolicyPreview, 'accepted'> {
  /** False if it is not in force, so that nothing changes. */
  readonly changes: boolean;
  /** True if there is a policy now and there would be none. */
  readonly endsPolicy: boolean;
}

export interface ConfigMapPolicyOptions {
  readonly config: KubeConfig;
  /** Namespaces in order of precedence; empty for all. */
  readonly namespaces: readonly string[];
  /** Namespaces whose ConfigMaps may set everything, including `delegations`. */
  readonly trusted: readonly string[];
  readonly labelSelector: string;
  readonly catalog: Catalog;
  readonly onRuleError: (rule: string, error: unknown) => void;
  /** The last good policy on disk, in force until the first list is answered; null if none was stored. */
  readonly kept?: KeptPolicy | null;
  /** The status ConfigMap and this replica's name; null if there is none. */
  readonly status?: { readonly namespace: string; readonly name: string; readonly replica: string } | null;
  /** Called when the API server could not be reached or refused a call; the current policy stays in force. */
  readonly onSourceError: (what: string, failure: string) => void;
}

/** In force while there is no ConfigMap: requests are read and recorded, and none is changed. */
const nothingWritten: readonly PolicyFile[] = [{ name: 'no-configmap.yaml', text: 'version: 1\ndefaults:\n  mode: off\n' }];

/** Whether a generation is composed of no ConfigMap. */
function isNothing({ files }: PolicySnapshot): boolean {
  return files.every(({ name }) => name === nothingWritten[0]!.name);
}

/** How long an admitted removal counts as done before the watch shows it, in ms. */
const leavingMs = 2_000;

/** How long startup waits for the first list before continuing without a policy, in ms. */
const firstListMs = 5_000;

/** A policy kept in labelled ConfigMaps. An invalid one changes only its own state, an Event on it, and `lastRefusal`. */
export class ConfigMapPolicyStore extends PolicyFeed {
  readonly #options: ConfigMapPolicyOptions;
  readonly #watch: ConfigMapWatch;
  readonly #events: PolicyEvents;
  readonly #status: PolicyStatus | null;
  readonly #compiler = new PolicyCompiler();
  readonly #rounds = new Rounds(() => this.#compileSeen());
  #catalog: Catalog;
  /** The catalog is new: the policy in force is compiled again even if its text is the same. */
  #wantsCatalog = false;
  /** Whether the first list was compiled. */
  #applied = false;
  #seen: readonly PolicyConfigMap[] = [];
  #configMaps: ReadonlyMap<string, PolicyConfigMap> = new Map();
  #sources: Composed['sources'] = [];
  /** Refusals already reported, so that another ConfigMap's edit does not repeat them. */
  #told = new Set<string>();
  #firstList: (() => void) | null = null;
  /** ConfigMaps whose removal was admitted, and until when that counts (performance.now()). */
  readonly #leaving = new Map<string, number>();

  private constructor(options: ConfigMapPolicyOptions) {
    super();
    this.#options = options;
    this.#catalog = options.catalog;
    const { generation } = compilePolicy(nothingWritten, this.#how(1));
    if (generation === null) throw new Error('the empty policy does not compile');
    this.inForce = generation;
    this.#events = new PolicyEvents(options.config, (failure) => options.onSourceError('an Event could not be written', failure));
    this.#status =
      options.status == null
        ? null
        : new PolicyStatus({
            ...options.status,
            config: options.config,
            onInForce: (configMap, hash, replicas) => void this.#events.inForce(configMap, hash, replicas),
            onError: (failure) => options.onSourceError('the status of the policies could not be written', failure),
          });
    this.#watch = new ConfigMapWatch({
      config: options.config,
      namespaces: options.namespaces,
      labelSelector: options.labelSelector,
      onChange: (configMaps) => {
        this.#seen = configMaps;
        void this.#rounds.run();
      },
      onError: (namespace, failure) => options.onSourceError(`ConfigMaps of ${namespace} cannot be watched`, failure),
    });
  }

  /** Resolves once the ConfigMaps have been read, or after five seconds without a response. Keeps watching in both cases. */
  static async open(options: ConfigMapPolicyOptions): Promise<ConfigMapPolicyStore> {
    const store = new ConfigMapPolicyStore(options);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, firstListMs);
      store.#firstList = () => {
        clearTimeout(timer);
        resolve();
      };
      store.#watch.start();
    });
    store.#firstList = null;
    if (!store.#applied) {
      store.#restore();
      options.onSourceError(
        store.keptSince === null ? 'started without a policy' : `started with the policy of ${store.keptSince}`,
        store.#watch.synced
          ? `the list of ConfigMaps was not compiled within ${firstListMs / 1000} s`
          : `no list of ConfigMaps within ${firstListMs / 1000} s`,
      );
    }
    return store;
  }

  /** Whether the state of the ConfigMaps, even if there are none, was ever known: from the API server, or from an earlier run. */
  get known(): boolean {
    return this.#applied || this.keptSince !== null;
  }

  #restore(): void {
    const kept = this.#options.kept?.load() ?? null;
    const generation = kept === null ? null : compilePolicy(kept.files, this.#how(this.inForce.number + 1)).generation;
    if (kept === null || generation === null) return;
    this.keptSince = kept.savedAt;
    this.publish(generation);
  }

  override sources(): readonly PolicySourceState[] {
    return this.#sources.map(({ id, resourceVersion, state, problems }) => ({ id, resourceVersion, state, problems }));
  }

  /** Whether all ConfigMaps are being watched now. */
  get connected(): boolean {
    return this.#watch.connected && this.#watch.synced;
  }

  setCatalog(catalog: Catalog): void {
    this.#catalog = catalog;
    this.#wantsCatalog = true;
    void this.#rounds.run();
  }

  override get none(): boolean {
    return isNothing(this.inForce);
  }

  /** Whether a ConfigMap with these labels is part of the policy. */
  selects(labels: Readonly<Record<string, string>>): boolean {
    return meetsSelector(this.#options.labelSelector, labels) ?? true;
  }

  /** The result of writing a ConfigMap now. Does not affect requests. */
  async preview(configMap: PolicyConfigMap): Promise<PolicyPreview> {
    const id = configMapId(configMap);
    this.#leaving.delete(id);
    const { generation, sources } = await this.#compose([...this.#without(id), configMap]);
    const own = sources.find((source) => source.id === id);
    // Also names another ConfigMap that would break: its problems say what it lacks.
    const problems =
      generation === null ? sources.flatMap((source) => source.problems.filter(({ level }) => level === 'error')) : (own?.problems ?? []);
    return { accepted: generation !== null && own?.state === 'in-force', problems, generation };
  }

  /** The result of deleting a ConfigMap or removing its label. Changes nothing. */
  async previewRemoval(configMap: PolicyConfigMap): Promise<RemovalPreview> {
    const id = configMapId(configMap);
    const { generation, sources } = await this.#compose(this.#without(id));
    return {
      changes: this.#configMaps.has(id),
      problems: sources.flatMap((source) => source.problems.filter(({ level }) => level === 'error')),
      generation,
      endsPolicy: generation !== null && isNothing(generation) && !this.none,
    };
  }

  /** Records that a removal was admitted: the next preview counts it as done, even before the watch shows it. */
  leaves(configMap: PolicyConfigMap): void {
    this.#leaving.set(configMapId(configMap), performance.now() + leavingMs);
  }

  #without(id: string): readonly PolicyConfigMap[] {
    const now = performance.now();
    for (const [left, until] of this.#leaving) if (until < now) this.#leaving.delete(left);
    return this.#seen.filter((each) => configMapId(each) !== id && !this.#leaving.has(configMapId(each)));
  }

  async close(): Promise<void> {
    this.#compiler.close();
    await this.#watch.close();
    await this.#status?.close();
  }

  #how(number: number): CompileOptions {
    return {
      catalog: this.#catalog,
      number,
      inOrder: true,
      trusted: (namespace) => this.#options.trusted.includes(namespace),
      onRuleError: this.#options.onRuleError,
    };
  }

  /** Compiles the ConfigMaps that were seen last. */
  #compileSeen(): Soon<void> {
    const catalog = this.#wantsCatalog;
    this.#wantsCatalog = false;
    return whenThere(this.#compose(this.#seen), (composed) => this.#apply(composed, catalog));
  }

  #apply(composed: Composed, force: boolean): void {
    this.#sources =
      composed.generation === null
        ? composed.sources.map((source) => ({ ...source, state: this.#stateNow(source.configMap) }))
        : composed.sources;
    if (composed.generation !== null) this.#take(composed, composed.generation, force);
    this.#applied ||= this.#watch.synced;
    this.#report();
    this.#status?.report({
      hash: this.inForce.hash,
      since: this.inForce.loadedAt,
      seen: newestVersion(composed.sources.map(({ configMap }) => configMap)),
      sources: this.#sources,
    });
    if (this.#applied) this.#firstList?.();
  }

  #compose(configMaps: readonly PolicyConfigMap[]): Soon<Composed> {
    const number = this.inForce.number + 1;
    return compose({
      configMaps,
      namespaces: this.#options.namespaces,
      trusted: (namespace) => this.#options.trusted.includes(namespace),
      inForce: this.#configMaps,
      maxBytes: limits.policyBytes,
      compile: (files) => this.#compiler.compile(files.length === 0 ? nothingWritten : files, this.#how(number)),
    });
  }

  #take(composed: Composed, generation: PolicySnapshot, force: boolean): void {
    this.#configMaps = composed.inForce;
    // Only a label or an annotation was edited: the same policy needs no new generation.
    if (!force && generation.hash === this.inForce.hash) {
      this.#options.kept?.save(generation);
      return;
    }
    this.publish({ ...generation, resourceVersion: newestVersion(composed.inForce.values()) });
    this.#options.kept?.save(generation);
  }

  /** If the composition is rejected, a ConfigMap's state is that of its version in force. */
  #stateNow(configMap: PolicyConfigMap): PolicySourceState['state'] {
    const holds = this.#configMaps.get(configMapId(configMap));
    if (holds === undefined) return 'left-out';
    return holds.resourceVersion === configMap.resourceVersion ? 'in-force' : 'last-good';
  }

  #report(): void {
    const bad = this.#sources.filter(({ state, problems }) => state !== 'in-force' || problems.some(({ level }) => level === 'error'));
    const told = new Set<string>();
    const news: Composed['sources'][number][] = [];
    for (const source of bad) {
      const key = `${source.configMap.uid} ${source.resourceVersion} ${source.problems.map(({ code, line, message }) => `${code} ${line} ${message}`).join('\n')}`;
      told.add(key);
      if (!this.#told.has(key)) news.push(source);
    }
    this.#told = told;
    this.refuseStanding(
      bad.flatMap(({ problems }) => problems),
      news.flatMap(({ problems }) => problems),
    );
    for (const { configMap, state, problems } of news) {
      void this.#events.refused(configMap, state === 'left-out' ? 'left-out' : 'last-good', problems);
    }
  }
}
