import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Catalog } from '../catalog/types.ts';
import { compilePolicy, type CompileOptions } from '../policy/compile.ts';
import { PolicyCompiler, whenThere, type Soon } from '../policy/compiler.ts';
import type { LivePolicyStore, PolicySnapshot, PolicySourceState, Problem, Provider } from '../policy/types.ts';
import { Agreement, type SharedRollouts } from './agreement.ts';
import { policyText, textOf, type PolicyText } from './policy-text.ts';
import { Rollout, type RolloutChange, type RolloutState } from './rollout.ts';

export interface RolloutPoliciesOptions {
  /** Source of policy edits. */
  readonly source: LivePolicyStore;
  /** Whether the source has a policy yet, maybe that of an earlier run, and whether it has read what the policy is now; without them: it has. */
  readonly known?: () => boolean;
  readonly listed?: () => boolean;
  readonly catalog: Catalog;
  /** File that keeps the state across restarts; null to keep none. */
  readonly file: string | null;
  /** What replicas know together, which comes before the file; null if they share nothing. */
  readonly shared?: SharedRollouts | null;
  readonly onRuleError: (rule: string, error: unknown) => void;
  readonly onChange: (change: RolloutChange) => void;
  /** Called when the file cannot be read or written; the rollout continues in memory. */
  readonly onError: (error: unknown) => void;
}

const saved = z.object({
  version: z.literal(1),
  stable: policyText,
  candidate: z.object({ hash: z.string(), stage: z.int().min(0) }).nullable(),
  kept: policyText.extend({ until: z.number() }).nullable(),
  rolledBack: z.array(z.string()),
  stopped: z.array(z.string()),
});
type Saved = z.infer<typeof saved>;

/** How a server begins with a policy. */
interface Beginning {
  readonly state: RolloutState;
  readonly stage: number;
}

/**
 * The policies of a server: the one in force, the one rolling out, and the previous one, kept ready. Edits come from another store; the
 * rollout decides which policy a request gets.
 */
export class RolloutPolicies implements LivePolicyStore {
  readonly rollout: Rollout;
  /** Experiments stopped by hand before this start. */
  readonly stoppedBefore: readonly string[];
  readonly #options: RolloutPoliciesOptions;
  readonly #agreement: Agreement | null;
  readonly #changed = new Set<(generation: PolicySnapshot) => void>();
  readonly #compiler = new PolicyCompiler();
  /** What the file held at the start. */
  readonly #before: Saved | null;
  #catalog: Catalog;
  /** Whether the policy was known when this server began with it. */
  #known: boolean;
  #stopped: readonly string[];
  #writing: Promise<void> = Promise.resolve();

  constructor(options: RolloutPoliciesOptions) {
    this.#options = options;
    this.#catalog = options.catalog;
    this.#agreement = options.shared == null ? null : new Agreement(options.shared);
    this.#known = this.#isKnown();
    this.#before = this.#read();
    this.stoppedBefore = this.#before?.stopped ?? [];
    this.#stopped = this.stoppedBefore;
    const newest = options.source.current();
    const { state, stage } = this.#beginning(newest);
    this.rollout = new Rollout(state, (change) => {
      if (change.event === 'rolled-back') this.#agreement?.rolledBack(change.policy);
      options.onChange(change);
      this.#tell();
    });
    this.rollout.take(newest, stage);
    options.source.onChange((generation) => this.#edited(generation));
    options.shared?.onChange(() => this.#follow());
    this.#save();
  }

  current(): PolicySnapshot {
    return this.rollout.stable;
  }

  /** The providers of all policies that may answer now or soon. */
  reachable(): { readonly providers: ReadonlyMap<string, Provider> } {
    const { stable, candidate, kept } = { ...this.rollout.state(), candidate: this.rollout.candidate };
    return { providers: new Map([...(kept?.generation.providers ?? []), ...(candidate?.providers ?? []), ...stable.providers]) };
  }

  /** Calls `listener` when the policy in force changes, or a rollout begins or ends. */
  onChange(listener: (generation: PolicySnapshot) => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  lastRefusal(): ReturnType<LivePolicyStore['lastRefusal']> {
    return this.#options.source.lastRefusal();
  }

  onRefusal(listener: (problems: readonly Problem[]) => void): () => void {
    return this.#options.source.onRefusal(listener);
  }

  sources(): readonly PolicySourceState[] {
    return this.#options.source.sources();
  }

  setCatalog(catalog: Catalog): void {
    this.#catalog = catalog;
    const { stable } = this.rollout;
    this.#options.source.setCatalog(catalog);
    // The source compiles its newest edit, at once or soon, and another policy may be in force.
    if (this.rollout.stable !== stable || this.#options.source.current().hash === stable.hash) return;
    void whenThere(this.#compiler.compile(stable.files, this.#how(stable.resourceVersion)), ({ generation }) => {
      if (generation !== null && this.rollout.stable === stable) this.rollout.refresh(generation);
    });
  }

  /** Stores the experiments stopped by hand. */
  keepStopped(names: readonly string[]): void {
    this.#stopped = names;
    this.#save();
  }

  async close(): Promise<void> {
    this.#compiler.close();
    await this.#options.source.close();
    await this.#writing;
  }

  #tell(): void {
    this.#save();
    for (const listener of this.#changed) listener(this.rollout.stable);
  }

  #edited(generation: PolicySnapshot): void {
    const isFirst = !this.#known && this.#isKnown();
    this.#known ||= isFirst;
    if (isFirst) this.#begin(generation, this.#beginning(generation));
    else if (this.#mayJoin) this.#join(generation);
    else {
      this.#agreement?.edited(generation.hash);
      this.rollout.take(generation);
      this.#agree();
      this.#tell();
    }
  }

  /** Other replicas know more. */
  #follow(): void {
    if (this.#mayJoin) this.#join(this.#options.source.current());
    if (this.#agreement?.joins !== true) return;
    this.#agree();
    this.#save();
  }

  #isKnown(): boolean {
    return this.#options.known?.() ?? true;
  }

  /** Whether it has just become known where the others are. A policy of an earlier run is no edit. */
  get #mayJoin(): boolean {
    const { shared, listed } = this.#options;
    return this.#agreement?.joins === false && shared?.agreed != null && this.#known && (listed?.() ?? true);
  }

  /** Goes where the others are; stays where it is if they do not know. */
  #join(newest: PolicySnapshot): void {
    this.#begin(newest, this.#agreement?.begin(newest.hash, this.#finder(newest)) ?? null);
  }

  #begin(newest: PolicySnapshot, beginning: Beginning | null): void {
    if (beginning !== null) this.rollout.restore(beginning.state);
    this.rollout.take(newest, beginning?.stage);
    this.#tell();
  }

  /** Where a server starts: where the other replicas are; if nobody knows that, where its own file says. */
  #beginning(newest: PolicySnapshot): Beginning {
    const before = this.#before;
    const rolledBack = before?.rolledBack ?? [];
    for (const hash of rolledBack) this.#agreement?.rolledBack(hash);
    const agreed = this.#mayJoin ? (this.#agreement?.begin(newest.hash, this.#finder(newest)) ?? null) : null;
    if (agreed !== null) return agreed;
    const stable = before === null ? newest : (this.#compile(before.stable) ?? newest);
    const kept = before?.kept == null ? null : this.#compile(before.kept);
    return {
      state: {
        stable,
        candidate: null,
        kept: kept === null || before?.kept == null ? null : { generation: kept, until: before.kept.until },
        rolledBack,
      },
      stage: before?.candidate?.hash === newest.hash ? before.candidate.stage : 0,
    };
  }

  /** A policy by its hash: the newest one, or by the others' text, or of the file. */
  #finder(newest: PolicySnapshot): (hash: string, text: PolicyText | null) => PolicySnapshot | null {
    const own = [this.#before?.stable ?? null, this.#before?.kept ?? null];
    return (hash, text) => {
      if (newest.hash === hash) return newest;
      for (const each of [text, ...own]) {
        const generation = each === null ? null : this.#compile(each);
        if (generation?.hash === hash) return generation;
      }
      return null;
    };
  }

  /** Takes what the other replicas know of the newest edit. */
  #agree(): void {
    const aim = this.#agreement?.take(this.rollout) ?? null;
    if (aim === null) return;
    const { stable, kept } = this.rollout.state();
    const there = [this.#options.source.current(), stable, ...(kept === null ? [] : [kept.generation])];
    const found = (hash: string, text: PolicyText | null): Soon<PolicySnapshot | null> => {
      const known = there.find((each) => each.hash === hash);
      if (known !== undefined || text === null) return known ?? null;
      return whenThere(this.#compiler.compile(text.files, this.#how(text.resourceVersion)), ({ generation }) => generation);
    };
    void whenThere(found(aim.stable.hash, aim.stable.text), (next) =>
      whenThere(aim.kept === null ? null : found(aim.kept.hash, aim.kept.text), (nextKept) => {
        // Others may have come meanwhile.
        if (next === null || this.rollout.stable.hash !== stable.hash) return;
        this.rollout.settle(next, nextKept === null || aim.kept === null ? null : { generation: nextKept, until: aim.kept.until });
        this.rollout.take(this.#options.source.current(), aim.stage);
        this.#tell();
      }),
    );
  }

  /** At a start only: requests would wait. */
  #compile({ files, resourceVersion }: PolicyText): PolicySnapshot | null {
    return compilePolicy(files, this.#how(resourceVersion)).generation;
  }

  #how(resourceVersion: string | null): CompileOptions {
    const { onRuleError, source } = this.#options;
    return { catalog: this.#catalog, number: source.current().number, resourceVersion, inOrder: true, onRuleError };
  }

  #read(): Saved | null {
    const { file } = this.#options;
    if (file === null) return null;
    try {
      const read = saved.safeParse(JSON.parse(readFileSync(file, 'utf8')));
      if (read.success) return read.data;
      this.#options.onError(read.error);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#options.onError(error);
    }
    return null;
  }

  /** Writes are sequential; the last one wins. */
  #save(): void {
    const { file } = this.#options;
    this.#agreement?.tell(this.rollout);
    // What the file says of an earlier run stays until the policy is known.
    if (file === null || !this.#known) return;
    const { stable, candidate, kept, rolledBack } = this.rollout.state();
    const text = JSON.stringify({
      version: 1,
      stable: textOf(stable),
      candidate,
      kept: kept === null ? null : { ...textOf(kept.generation), until: kept.until },
      rolledBack: [...rolledBack],
      stopped: [...this.#stopped],
    } satisfies Saved);
    this.#writing = this.#writing
      .then(async () => {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(`${file}.new`, text, { mode: 0o600 });
        await rename(`${file}.new`, file);
      })
      .catch((error: unknown) => this.#options.onError(error));
  }
}
