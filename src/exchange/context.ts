import type { Inspection } from '../apis/inspect/patterns.ts';
import type { Exchange, Recognition } from '../apis/types.ts';
import type { UsageMode } from '../attach/names.ts';
import type { ChainStyle } from '../attach/versions.ts';
import type { CacheControls } from '../cache/controls.ts';
import type { Shadowed } from '../experiments/trials.ts';
import type { HeaderMap } from '../lib/headers.ts';
import type { CallerContext, PolicyGeneration, PolicySection, Provider } from '../policy/types.ts';
import type { TraceFacts } from '../record/trace.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { Forced } from '../route/types.ts';

/** What the headers of a request settled, whether it will be decided or not. */
export interface Arrived {
  readonly id: string;
  /** performance.now() at its headers. */
  readonly startedAt: number;
  readonly generation: PolicyGeneration;
  readonly provider: Provider;
  readonly section: PolicySection;
  readonly caller: CallerContext;
  /** What stands before the provider's own path on the gateway (its prefix), kept when a path is rewritten. */
  readonly prefix: string;
  /** The provider's path with its query. */
  readonly path: string;
  /** Absent: POST, which all calls are that can be decided. */
  readonly method?: string;
  /** Null while spans are off. */
  readonly trace: TraceFacts | null;
  /** How this Envoy tells of answers. */
  readonly usage: UsageMode;
  /** All headers as they came, at least where the gateway's key takes the place of the app's; else null. */
  readonly headers: HeaderMap | null;
}

/** What the headers of a request settled that will be decided, and what its body adds. */
export interface RequestContext extends Omit<Arrived, 'method'> {
  /** Milliseconds since the epoch. */
  readonly wallTime: number;
  readonly recognition: Recognition & { readonly kind: 'readable' };
  /** The caller keeps its model: the request is decided by what no caller can switch off, and changed by nothing else. */
  readonly routeOff: boolean;
  /** What its patterns for sensitive data found in the body; null: it has none, or the body has not come yet. */
  readonly inspection: Inspection | null;
  /** What its body's tokens stand for; null: nothing was masked. */
  readonly masked: MaskFacts | null;
  /** The body is not as it came (decoded, without its mark, masked): it goes on as it was read. */
  readonly replaced: boolean;
  /** Null where answers are not cached. */
  readonly cache: CacheScope | null;
  /** How Envoy is told the targets of a chain. */
  readonly chainStyle: ChainStyle;
  /** Which Envoy it came through; absent: not known. */
  readonly peer?: string | undefined;
  /** Headers that are for the app's own provider and API alone, its keys among them. */
  readonly ownHeaders: { readonly list: readonly (readonly [string, string])[] };
  /** What experiments make of it; null: nothing. */
  readonly arm: string | null;
  readonly forced: Forced | null;
  readonly shadow: Shadowed | null;
  /** The conversation's name in the headers; null: none says it, or nobody asks. */
  readonly sessionName: string | null;
}

/** What was masked in a body. */
export interface MaskFacts {
  readonly rules: NonNullable<ExchangeRecord['masked']>;
  /** Tokens that the answer gets back, and what they stand for. Never kept beyond the answer. */
  readonly restored: ReadonlyMap<string, string>;
}

/** What a request's headers say to the cache. */
export interface CacheScope {
  readonly partition: string;
  readonly controls: CacheControls;
}

/** A request that was read. */
export interface ReadRequest {
  readonly context: RequestContext;
  readonly exchange: Exchange;
  /** The bytes that `exchange` was read from: decoded and masked where that was asked for. */
  readonly body: Buffer;
}

/** Nothing is kept of a text in which a pattern for sensitive data was found. */
export function holdsSensitive({ inspection }: Pick<RequestContext, 'inspection'>): boolean {
  return inspection?.matched.includes(true) === true;
}

/** Whether a pattern was found whose rule does more than mask. */
export function decidesSensitive({ inspection, section }: Pick<RequestContext, 'inspection' | 'section'>): boolean {
  return inspection?.matched.some((found, at) => found && section.masks?.[at] == null) === true;
}

/** Whether the first of such rules refuses the request. */
export function blocksSensitive({ inspection, section }: Pick<RequestContext, 'inspection' | 'section'>): boolean {
  return section.sensitivity.find(({ then }, at) => then.kind !== 'mask' && inspection?.matched[at] === true)?.then.kind === 'block';
}
