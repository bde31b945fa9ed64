import { apis } from '../apis/registry.ts';
import { saysNothing } from '../apis/common/answer-view.ts';
import { renderAnswer } from '../apis/replay.ts';
import { viewAnswer } from '../apis/view.ts';
import type { ApiName, Operation, Usage } from '../apis/types.ts';
import type { OutcomeKind } from '../record/types.ts';
import type { AnswerForm } from '../apis/answer-forms.ts';
import type { CacheEntry } from './types.ts';
import type { CacheSettings } from '../policy/options/cache.ts';
import { limits } from '../lib/limits.ts';

/** Until Sluice hears of Envoy's time-out, ms. */
const timeoutMarginMs = 500;

/** The result of offering an answer to the cache. Closed list: a metric label. */
export type StoreResult = 'stored' | 'status' | 'incomplete' | 'finish' | 'encoded' | 'too-large' | 'busy' | 'no-time' | 'abandoned';

/** What the request determines about the future entry. */
export interface FillRequest {
  readonly key: string;
  readonly api: ApiName;
  readonly operation: Operation;
  readonly settings: CacheSettings;
  readonly workspace: string;
  readonly requestedModel: string;
  readonly tags: readonly string[];
}

/** How the exchange ended, and the decision for it. */
export interface FillEnding {
  readonly outcome: OutcomeKind;
  readonly status: number | null;
  readonly finishReason: string | null;
  readonly usage: Usage | null;
  readonly provider: string;
  readonly model: string;
  readonly tier: string | null;
  readonly rule: string | null;
  readonly tookMs: number | null;
}

/** The cache's side of a fill. */
export interface FillOwner {
  /** Reserves room to collect this many more bytes; false if there is none now. */
  reserve(bytes: number): boolean;
  release(bytes: number): void;
  /** Nothing of the answer came, and perhaps nothing will; `settled` is called if it does end. */
  doubted(fill: Fill): void;
  /** Called once per fill. `entry` is null if nothing was stored. */
  settled(fill: Fill, entry: CacheEntry | null, result: StoreResult, ending: FillEnding | null): void;
  now(): number;
}

/** One answer being stored: collects its bytes as they pass, and stores it only if all of it was good. */
export class Fill {
  readonly request: FillRequest;
  /** The entry's `near`. */
  readonly #near: string | null;
  readonly #owner: FillOwner;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Why it cannot be stored; set as soon as this is certain. */
  #refused: StoreResult | null = null;
  #form: AnswerForm = 'json';
  #began = false;
  #whole = false;
  #over = false;
  /** How long its answer may take to begin, ms. */
  #patienceMs: number = limits.cacheSilentMs;

  constructor(owner: FillOwner, request: FillRequest, near: string | null) {
    this.#owner = owner;
    this.request = request;
    this.#near = near;
  }

  /** Whether the answer's headers came. */
  get began(): boolean {
    return this.#began;
  }

  /** How long other requests wait for the answer to begin, ms. */
  get patienceMs(): number {
    return this.#patienceMs;
  }

  /** Envoy gives up if the answer has not begun after `ms`. */
  within(ms: number): void {
    this.#patienceMs = Math.min(this.#patienceMs, ms + timeoutMarginMs);
  }

  /** Envoy may not know that this request leads, or its attempt ended without an answer: others must not rely on it. */
  doubt(): void {
    if (!this.#began && !this.#over) this.#owner.doubted(this);
  }

  /** The answer's headers. */
  head(status: number, contentType: string, contentEncoding: string): void {
    this.#began = true;
    if (status !== 200) this.#refused = 'status';
    else if (contentEncoding !== '' && contentEncoding !== 'identity') this.#refused = 'encoded';
    if (contentType.startsWith('text/event-stream')) this.#form = 'sse';
  }

  /** Adds one chunk; its bytes are copied, so that no larger buffer is kept alive. */
  push(chunk: Uint8Array): void {
    if (this.#refused !== null || this.#over) return;
    if (this.#bytes + chunk.length > this.request.settings.maxAnswerBytes) {
      this.#refuse('too-large');
    } else if (!this.#owner.reserve(chunk.length)) {
      this.#refuse('busy');
    } else {
      this.#bytes += chunk.length;
      this.#chunks.push(Buffer.from(chunk));
    }
  }

  /** Marks that the end of the answer was seen. */
  complete(): void {
    this.#whole = true;
  }

  /** The exchange is over: stores the answer if it was good, and notifies the waiting requests. Later calls do nothing. */
  settle(ending: FillEnding): void {
    if (this.#over) return;
    const refused = this.#refused ?? this.#judge(ending);
    const entry = refused === null ? this.#entry(ending) : null;
    if (entry !== null && this.request.operation === 'generate' && isEmpty(entry)) this.#end(null, 'incomplete', ending);
    else this.#end(entry, refused ?? 'stored', ending);
  }

  /** There will be no answer for this. */
  abandon(): void {
    if (!this.#over) this.#end(null, 'abandoned', null);
  }

  #end(entry: CacheEntry | null, result: StoreResult, ending: FillEnding | null): void {
    this.#over = true;
    this.#drop();
    this.#owner.settled(this, entry, result, ending);
  }

  #refuse(why: StoreResult): void {
    this.#refused = why;
    this.#drop();
  }

  #drop(): void {
    this.#owner.release(this.#bytes);
    this.#bytes = 0;
    this.#chunks = [];
  }

  #judge(ending: FillEnding): StoreResult | null {
    const { outcome, status, finishReason } = ending;
    if (!this.#began) return 'abandoned';
    if (status !== 200) return 'status';
    if (this.#ttl(ending) === 0) return 'no-time';
    if (outcome !== 'complete' || !this.#whole || this.#bytes === 0) return 'incomplete';
    // Embeddings and counts have no finish reason: they are complete or they are not.
    if (this.request.operation !== 'generate') return null;
    const finish = apis[this.request.api].answer.finishes.get(finishReason?.toLowerCase() ?? '');
    return finish !== undefined && this.request.settings.finish.has(finish) ? null : 'finish';
  }

  /** Seconds. */
  #ttl({ rule, tier }: FillEnding): number {
    const { ttl, ttlByRule, ttlByTier } = this.request.settings;
    return (rule === null ? undefined : ttlByRule[rule]) ?? (tier === null ? undefined : ttlByTier[tier]) ?? ttl;
  }

  #entry(ending: FillEnding): CacheEntry {
    const { request } = this;
    const { settings } = request;
    // Allocated at its exact size: a slice of Node's pool would keep its neighbours alive.
    const body = Buffer.allocUnsafeSlow(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) at += chunk.copy(body, at);
    const ttl = this.#ttl(ending);
    return {
      key: request.key,
      near: this.#near,
      api: request.api,
      form:
        this.#form === 'json' && apis[request.api].answer.arrayStreams && body.find((byte) => byte > 0x20) === 0x5b ? 'array' : this.#form,
      body,
      storedAt: this.#owner.now(),
      ttlMs: ttl * 1_000,
      keepMs: (ttl + Math.max(settings.staleWhileRevalidate, settings.staleIfError)) * 1_000,
      workspace: request.workspace,
      provider: ending.provider,
      model: ending.model,
      requestedModel: request.requestedModel,
      tier: ending.tier,
      tags: request.tags,
      usage: ending.usage,
      finishReason: ending.finishReason,
      tookMs: ending.tookMs,
    };
  }
}

/** Output tokens up to which an answer may hold nothing; more are words, unless they are thoughts. */
const emptyTokens = 16;

/** Members with thoughts, which some providers count as output. */
const thoughts = ['"thinking"', '"reasoning_content"', '"reasoning":"', '"reasoning": "'];

/** Whether a model ended its answer without a word or a call. The next answer may be better, so that is not kept. */
function isEmpty({ api, form, body, usage }: CacheEntry): boolean {
  if (usage !== null && usage.output > emptyTokens && !thoughts.some((name) => body.includes(name))) return false;
  try {
    const whole = renderAnswer({ api, form, body, usage }, { form: 'json', includeUsage: false });
    const view = whole === null ? null : viewAnswer(api, JSON.parse(whole.body.toString('utf8')));
    return view !== null && saysNothing(view);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
