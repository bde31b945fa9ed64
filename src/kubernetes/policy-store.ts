import type { KubeConfig } from '@kubernetes/client-node';
import type { Catalog } from '../catalog/types.ts';
import { limits } from '../lib/limits.ts';
import { compilePolicy, type CompileOptions } from '../policy/compile.ts';
import { PolicyCompiler, Rounds, whenThere, type Soon } from '../policy/compiler.ts';
import { PolicyFeed } from '../policy/feed.ts';
import type { KeptPolicy } from '../policy/kept.ts';
import type { PolicyFile, PolicySnapshot, PolicySourceState, Problem } from '../policy/types.ts';
import { compose, policyObjectId, newestVersion, type Composed, type PolicyObject, type PolicyObjectKind } from './compose.ts';
import { PolicyConditions } from './conditions.ts';
import { PolicyEvents } from './events.ts';
import { configMaps, llmPolicyKind } from './policy-kinds.ts';
import { PolicyStatus } from './policy-status.ts';
import { meetsSelector } from './label-selector.ts';
import { PolicyObjectWatch } from './watch.ts';

/** The result of applying an object. */
export interface PolicyPreview {
  readonly accepted: boolean;
  /** Errors if it is rejected, otherwise warnings. */
  readonly problems: readonly Problem[];
  /** The policy that would be in force; null if it would not take effect. */
  readonly generation: PolicySnapshot | null;
}

/** The result of removing an object. */
export interface RemovalPreview extends Omit<PolicyPreview, 'accepted'> {
  /** False if it is not in force, so that nothing changes. */
  readonly changes: boolean;
  /** True if there is a policy now and there would be none. */
  readonly endsPolicy: boolean;
}

export interface KubernetesPolicyOptions {
  readonly config: KubeConfig;
  /** Namespaces in order of precedence; empty for all. */
  readonly namespaces: readonly string[];
  /** Namespaces whose objects may set everything, including `delegations`. */
  readonly trusted: readonly string[];
  readonly labelSelector: string;
  /** Whether the LLMPolicies of these namespaces are part of the policy too. */
  readonly llmPolicies: boolean;
  readonly catalog: Catalog;
  readonly onRuleError: (rule: string, error: unknown) => void;
  /** The last good policy on disk, in force until the first list is answered; null if none was stored. */
  readonly kept?: KeptPolicy | null;
  /** The status ConfigMap and this replica's name; null if there is none. */
  readonly status?: { readonly namespace: string; readonly name: string; readonly replica: string } | null;
  /** Called when the API server could not be reached or refused a call; the current policy stays in force. */
  readonly onSourceError: (what: string, failure: string) => void;
}

/** In force while nothing is written: requests are read and recorded, and none is changed. */
const nothingWritten: readonly PolicyFile[] = [{ name: 'no-configmap.yaml', text: 'version: 1\ndefaults:\n  mode: off\n' }];

/** Whether a generation is composed of no object. */
function isNothing({ files }: PolicySnapshot): boolean {
  return files.every(({ name }) => name === nothingWritten[0]!.name);
}

/** How long an admitted removal counts as done before the watch shows it, in ms. */
const leavingMs = 2_000;

/** How long startup waits for the first list before continuing without a policy, in ms. */
const firstListMs = 5_000;

/** A policy kept in labelled ConfigMaps and LLMPolicies. An invalid one changes only its own state, an Event on it, and `lastRefusal`. */
export class KubernetesPolicyStore extends PolicyFeed {
  readonly #options: KubernetesPolicyOptions;
  readonly #watch: PolicyObjectWatch;
  readonly #events: PolicyEvents;
  readonly #status: PolicyStatus | null;
  readonly #compiler = new PolicyCompiler();
  readonly #rounds = new Rounds(() => this.#compileSeen());
  #catalog: Catalog;
  /** The catalog is new: the policy in force is compiled again even if its text is the same. */
  #wantsCatalog = false;
  /** Whether the first list was compiled. */
  #applied = false;
  #seen: readonly PolicyObject[] = [];
  #objects: ReadonlyMap<string, PolicyObject> = new Map();
  #sources: Composed['sources'] = [];
  /** Refusals already reported, so that another object's edit does not repeat them. */
  #told = new Set<string>();
  #firstList: (() => void) | null = null;
  /** Objects whose removal was admitted, and until when that counts (performance.now()). */
  readonly #leaving = new Map<string, number>();

  private constructor(options: KubernetesPolicyOptions) {
    super();
    this.#options = options;
    this.#catalog = options.catalog;
    const { generation } = compilePolicy(nothingWritten, this.#how(1));
    if (generation === null) throw new Error('the empty policy does not compile');
    this.inForce = generation;
    this.#events = new PolicyEvents(options.config, (failure) => options.onSourceError('an Event could not be written', failure));
    const conditions = options.llmPolicies
      ? new PolicyConditions(options.config, (failure) => options.onSourceError('the status of an LLMPolicy could not be written', failure))
      : null;
    this.#status =
      options.status == null
        ? null
        : new PolicyStatus({
            ...options.status,
            config: options.config,
            onInForce: (object, hash, replicas) => void this.#events.inForce(object, hash, replicas),
            onWritten: (sources, rollout) => conditions?.write(sources, rollout) ?? Promise.resolve(),
            onError: (failure) => options.onSourceError('the status of the policies could not be written', failure),
          });
    this.#watch = new PolicyObjectWatch({
      config: options.config,
      namespaces: options.namespaces,
      kinds: [configMaps(options.config, options.labelSelector), ...(options.llmPolicies ? [llmPolicyKind(options.config)] : [])],
      onChange: (objects) => {
        this.#seen = objects;
        void this.#rounds.run();
      },
      onError: (what, failure) => options.onSourceError(`${what} cannot be watched`, failure),
    });
  }

  /** Resolves once the objects have been read, or after five seconds without a response. Keeps watching in both cases. */
  static async open(options: KubernetesPolicyOptions): Promise<KubernetesPolicyStore> {
    const store = new KubernetesPolicyStore(options);
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
          ? `the list of policies was not compiled within ${firstListMs / 1000} s`
          : `no list of policies within ${firstListMs / 1000} s`,
      );
    }
    return store;
  }

  /** Whether the state of the objects, even if there are none, was ever known: from the API server, or from an earlier run. */
  get known(): boolean {
    return this.#applied || this.keptSince !== null;
  }

  /** Whether the policy in force is what the API server has. */
  get listed(): boolean {
    return this.#applied;
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

  /** Whether all objects are being watched now. */
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

  /** Whether an object with these labels is part of the policy. */
  selects(kind: PolicyObjectKind, labels: Readonly<Record<string, string>>): boolean {
    if (kind === 'LLMPolicy') return this.#options.llmPolicies;
    return meetsSelector(this.#options.labelSelector, labels) ?? true;
  }

  /** The result of writing an object now. Does not affect requests. */
  async preview(object: PolicyObject): Promise<PolicyPreview> {
    const id = policyObjectId(object);
    this.#leaving.delete(id);
    const { generation, sources } = await this.#compose([...this.#without(id), object]);
    const own = sources.find((source) => source.id === id);
    // Also names another object that would break: its problems say what it lacks.
    const problems =
      generation === null ? sources.flatMap((source) => source.problems.filter(({ level }) => level === 'error')) : (own?.problems ?? []);
    return { accepted: generation !== null && own?.state === 'in-force', problems, generation };
  }

  /** The result of deleting an object or removing its label. Changes nothing. */
  async previewRemoval(object: PolicyObject): Promise<RemovalPreview> {
    const id = policyObjectId(object);
    const { generation, sources } = await this.#compose(this.#without(id));
    return {
      changes: this.#objects.has(id),
      problems: sources.flatMap((source) => source.problems.filter(({ level }) => level === 'error')),
      generation,
      endsPolicy: generation !== null && isNothing(generation) && !this.none,
    };
  }

  /** Records that a removal was admitted: the next preview counts it as done, even before the watch shows it. */
  leaves(object: PolicyObject): void {
    this.#leaving.set(policyObjectId(object), performance.now() + leavingMs);
  }

  #without(id: string): readonly PolicyObject[] {
    const now = performance.now();
    for (const [left, until] of this.#leaving) if (until < now) this.#leaving.delete(left);
    return this.#seen.filter((each) => policyObjectId(each) !== id && !this.#leaving.has(policyObjectId(each)));
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

  /** Compiles the objects that were seen last. */
  #compileSeen(): Soon<void> {
    const catalog = this.#wantsCatalog;
    this.#wantsCatalog = false;
    return whenThere(this.#compose(this.#seen), (composed) => this.#apply(composed, catalog));
  }

  #apply(composed: Composed, force: boolean): void {
    this.#sources =
      composed.generation === null
        ? composed.sources.map((source) => ({ ...source, state: this.#stateNow(source.object) }))
        : composed.sources;
    // A first list that comes after the start is news, even if it has the policy of an earlier run, or none.
    const isLate = !this.#applied && this.#watch.synced && this.#firstList === null;
    this.#applied ||= this.#watch.synced;
    if (composed.generation !== null) this.#take(composed, composed.generation, force || isLate);
    this.#report();
    this.#status?.report({
      hash: this.inForce.hash,
      since: this.inForce.loadedAt,
      seen: newestVersion(composed.sources.map(({ object }) => object)),
      sources: this.#sources,
    });
    if (this.#applied) this.#firstList?.();
  }

  #compose(objects: readonly PolicyObject[]): Soon<Composed> {
    const number = this.inForce.number + 1;
    return compose({
      objects,
      namespaces: this.#options.namespaces,
      trusted: (namespace) => this.#options.trusted.includes(namespace),
      inForce: this.#objects,
      maxBytes: limits.policyBytes,
      compile: (files) => this.#compiler.compile(files.length === 0 ? nothingWritten : files, this.#how(number)),
    });
  }

  #take(composed: Composed, generation: PolicySnapshot, force: boolean): void {
    this.#objects = composed.inForce;
    // Only a label or an annotation was edited: the same policy needs no new generation.
    if (!force && generation.hash === this.inForce.hash) {
      this.#options.kept?.save(generation);
      return;
    }
    this.publish({ ...generation, resourceVersion: newestVersion(composed.inForce.values()) });
    this.#options.kept?.save(generation);
  }

  /** If the composition is rejected, an object's state is that of its version in force. */
  #stateNow(object: PolicyObject): PolicySourceState['state'] {
    const holds = this.#objects.get(policyObjectId(object));
    if (holds === undefined) return 'left-out';
    return holds.resourceVersion === object.resourceVersion ? 'in-force' : 'last-good';
  }

  #report(): void {
    const bad = this.#sources.filter(({ state, problems }) => state !== 'in-force' || problems.some(({ level }) => level === 'error'));
    const told = new Set<string>();
    const news: Composed['sources'][number][] = [];
    for (const source of bad) {
      const key = `${source.object.uid} ${source.resourceVersion} ${source.problems.map(({ code, line, message }) => `${code} ${line} ${message}`).join('\n')}`;
      told.add(key);
      if (!this.#told.has(key)) news.push(source);
    }
    this.#told = told;
    this.refuseStanding(
      bad.flatMap(({ problems }) => problems),
      news.flatMap(({ problems }) => problems),
    );
    for (const { object, state, problems } of news) {
      void this.#events.refused(object, state === 'left-out' ? 'left-out' : 'last-good', problems);
    }
  }
}
