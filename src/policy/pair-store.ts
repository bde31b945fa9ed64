import { createHash } from 'node:crypto';
import type { Catalog } from '../catalog/types.ts';
import { limits } from '../lib/limits.ts';
import { compilePolicy } from './compile.ts';
import { inSteps, Rounds, whenThere, type Soon } from './compiler.ts';
import { HttpDocument, publicUrl, type HttpSource } from './http-document.ts';
import { PolicyFeed } from './feed.ts';
import type { LivePolicyStore, PolicySnapshot, PolicySection, PolicySourceState, Problem } from './types.ts';

export interface PairPolicyOptions extends HttpSource {
  /** A template with `{workspace}` and `{provider}`. */
  readonly url: string;
  /** Applies if the backend has no policy, and until it has answered; it always defines providers and prices. */
  readonly base: LivePolicyStore;
  readonly onRuleError: (rule: string, error: unknown) => void;
  readonly onSourceError: (what: string, failure: string) => void;
}

/** The policy of one workspace and provider, as the backend has it. */
interface Pair {
  readonly workspace: string;
  readonly provider: string;
  readonly document: HttpDocument;
  /** Null if the backend has none or has not answered. */
  text: string | null;
  section: PolicySection | null;
  problems: readonly Problem[];
  /** Milliseconds since the epoch. */
  due: number;
  asking: boolean;
}

/** Concurrent calls to the backend. */
const concurrent = 8;

/** Answers within this time are combined into one generation, in ms. */
const gatherMs = 20;

/**
 * A backend that is queried for each workspace and provider: `GET …/{workspace}/{provider}`. Requests never wait for it: a pair's first
 * request, and the first after its policy expires, trigger a query in the background and use what is known.
 */
export class PairPolicyStore extends PolicyFeed {
  readonly #options: PairPolicyOptions;
  readonly #pairs = new Map<string, Pair>();
  readonly #waiting: Pair[] = [];
  readonly #rounds = new Rounds(() => this.#rebuild());
  readonly #closing = new AbortController();
  #running = 0;
  #number = 0;
  #gather: NodeJS.Timeout | null = null;
  #connected = true;

  constructor(options: PairPolicyOptions) {
    super();
    this.#options = options;
    this.inForce = this.#generation();
    options.base.onChange(() => void this.#rounds.run());
    options.base.onRefusal((problems) => this.tell(problems));
  }

  override lastRefusal(): { readonly at: number; readonly problems: readonly Problem[] } | null {
    return this.refusal ?? this.#options.base.lastRefusal();
  }

  /** Whether the last call to the backend succeeded. */
  get connected(): boolean {
    return this.#connected;
  }

  override sources(): readonly PolicySourceState[] {
    return this.#options.base.sources();
  }

  setCatalog(catalog: Catalog): void {
    // The base publishes its new generation, and all pairs are compiled on it.
    this.#options.base.setCatalog(catalog);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#gather !== null) clearTimeout(this.#gather);
    await this.#options.base.close();
  }

  #generation(): PolicySnapshot {
    const base = this.#options.base.current();
    const own = new Map([...this.#pairs].flatMap(([key, { section }]) => (section === null ? [] : [[key, section] as const])));
    const hash = createHash('sha256').update(base.hash);
    for (const [key, { text, section }] of [...this.#pairs].sort(([a], [b]) => (a < b ? -1 : 1)))
      if (section !== null) hash.update(`\n${key}\n${text ?? ''}`);
    return {
      ...base,
      number: ++this.#number,
      hash: own.size === 0 ? base.hash : hash.digest('hex').slice(0, 16),
      section: (workspace, provider) => {
        this.#used(workspace, provider);
        return own.get(keyOf(workspace, provider)) ?? base.section(workspace, provider);
      },
    };
  }

  /** Called on the request path: never waits, and only does a lookup except for a pair's first request. */
  #used(workspace: string, provider: string): void {
    const key = keyOf(workspace, provider);
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      // Callers choose workspace names, so the number is bounded: the first ones keep their place.
      if (this.#pairs.size >= limits.policyPairs || !nameable(workspace)) return;
      const fill: Readonly<Record<string, string>> = { workspace: encodeURIComponent(workspace), provider: encodeURIComponent(provider) };
      const url = this.#options.url.replace(/\{(workspace|provider)\}/g, (_, name: string) => fill[name] ?? '');
      pair = {
        workspace,
        provider,
        document: new HttpDocument(url, this.#options),
        text: null,
        section: null,
        problems: [],
        due: 0,
        asking: false,
      };
      this.#pairs.set(key, pair);
    }
    if (pair.asking || pair.due > Date.now()) return;
    pair.asking = true;
    this.#waiting.push(pair);
    this.#next();
  }

  #next(): void {
    while (this.#running < concurrent) {
      const pair = this.#waiting.shift();
      if (pair === undefined) return;
      this.#running++;
      void this.#ask(pair).finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }

  async #ask(pair: Pair): Promise<void> {
    const fetched = await pair.document.read(this.#closing.signal);
    if (this.#closing.signal.aborted) return;
    pair.asking = false;
    pair.due = Date.now() + pair.document.freshMs;
    const wasConnected = this.#connected;
    this.#connected = fetched.kind !== 'failed';
    if (fetched.kind === 'failed') {
      if (wasConnected)
        this.#options.onSourceError(`the policy at ${publicUrl(pair.document.url)} cannot be read; what is in force stays`, fetched.why);
      return;
    }
    if (fetched.kind === 'same') return;
    const text = fetched.kind === 'text' ? fetched.text : null;
    const before = pair.section;
    if (text === null) Object.assign(pair, { text, section: null, problems: [] });
    else this.#compile(pair, text);
    this.#noteRefusals(pair.problems);
    if (pair.section !== before) this.#rebuildSoon();
  }

  /** A bad answer leaves the pair unchanged. */
  #compile(pair: Pair, text: string): void {
    const base = this.#options.base.current();
    const { generation, problems } = compilePolicy([{ name: publicUrl(pair.document.url), text }], {
      catalog: base.catalog,
      partOf: base,
      onRuleError: this.#options.onRuleError,
    });
    if (generation === null) {
      pair.problems = problems;
      return;
    }
    Object.assign(pair, { text, section: generation.section(pair.workspace, pair.provider), problems: [] });
  }

  #noteRefusals(news: readonly Problem[]): void {
    const problems = [...this.#pairs.values()].flatMap((pair) => pair.problems);
    this.refuseStanding(problems, news);
  }

  /** The base has changed: recompiles the backend's policies on it where possible. */
  #rebuild(): Soon<void> {
    return whenThere(inSteps(this.#compileAll()), () => {
      if (this.#closing.signal.aborted) return;
      this.#noteRefusals([]);
      this.publish(this.#generation());
    });
  }

  *#compileAll(): Generator<undefined, void> {
    for (const pair of [...this.#pairs.values()]) {
      if (pair.text !== null) this.#compile(pair, pair.text);
      yield;
    }
  }

  #rebuildSoon(): void {
    this.#gather ??= setTimeout(() => {
      this.#gather = null;
      this.publish(this.#generation());
    }, gatherMs);
  }
}

/** In a URL `.` and `..` lead to other folders however they are encoded, and a lone surrogate cannot be encoded. */
function nameable(workspace: string): boolean {
  return !['', '.', '..'].includes(workspace) && workspace.isWellFormed();
}

function keyOf(workspace: string, provider: string): string {
  return `${provider}\n${workspace}`;
}
