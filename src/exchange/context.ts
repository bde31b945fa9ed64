import type { Inspection } from '../apis/inspect/patterns.ts';
import type { ParsedRequest, Recognition } from '../apis/types.ts';
import type { UsageMode } from '../attach/names.ts';
import type { EnvoyAbilities } from '../attach/abilities.ts';
import type { CacheControls } from '../cache/controls.ts';
import type { Shadowed } from '../experiments/trials.ts';
import type { HeaderMap } from '../lib/headers.ts';
import type { CallerContext, PolicySnapshot, PolicySection, Provider } from '../policy/types.ts';
import type { TraceFacts } from '../record/trace.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { Forced } from '../route/types.ts';

/** Facts from a request's headers, whether it will be decided or not. */
export interface Arrived {
  readonly id: string;
  /** performance.now() at its headers. */
  readonly startedAt: number;
  readonly generation: PolicySnapshot;
  readonly provider: Provider;
  readonly section: PolicySection;
  readonly caller: CallerContext;
  /** The gateway's path prefix before the provider's own path, kept when a path is rewritten. */
  readonly prefix: string;
  /** The provider's path with its query. */
  readonly path: string;
  /** POST if absent: all calls that can be decided are POST. */
  readonly method?: string;
  /** Null while spans are off. */
  readonly trace: TraceFacts | null;
  /** How this Envoy reports answers. */
  readonly usage: UsageMode;
  /** All headers as they came, at least when the gateway's key replaces the app's; otherwise null. */
  readonly headers: HeaderMap | null;
  /** The Envoy it came through; unknown if absent. */
  readonly peer?: string | undefined;
}

/** Facts from the headers of a request that will be decided, and from its body. */
export interface RequestContext extends Omit<Arrived, 'method'> {
  /** Milliseconds since the epoch. */
  readonly wallTime: number;
  readonly recognition: Recognition & { readonly kind: 'readable' };
  /** The caller keeps its model: only rules that no caller can switch off decide and change the request. */
  readonly routeOff: boolean;
  /** Matches of the section's patterns for sensitive data; null if it has none or the body has not come yet. */
  readonly inspection: Inspection | null;
  /** What was masked in its body; null if nothing was. */
  readonly masked: MaskFacts | null;
  /** The body was changed (decoded, byte order mark removed, masked): it is forwarded as it was read. */
  readonly replaced: boolean;
  /** Null if answers are not cached. */
  readonly cache: CacheScope | null;
  /** What the Envoy that calls can do. */
  readonly envoy: EnvoyAbilities;
  /** Headers meant only for the app's own provider and API, including its keys. */
  readonly ownHeaders: { readonly list: readonly (readonly [string, string])[] };
  /** The experiment arm of the request; null if none. */
  readonly arm: string | null;
  readonly forced: Forced | null;
  readonly shadow: Shadowed | null;
  /** The conversation's name from the headers; null if no header has it or nothing needs it. */
  readonly sessionName: string | null;
}

/** What was masked in a body. */
interface MaskFacts {
  readonly rules: NonNullable<ExchangeRecord['masked']>;
  /** Mask tokens to restore in the answer, with their originals. Never kept beyond the answer. */
  readonly restored: ReadonlyMap<string, string>;
}

/** Cache settings from a request's headers. */
export interface CacheScope {
  readonly partition: string;
  readonly controls: CacheControls;
}

/** A request that was read. */
export interface ReadRequest {
  readonly context: RequestContext;
  readonly exchange: ParsedRequest;
  /** The bytes that `exchange` was read from: decoded, and masked if the policy masks. */
  readonly body: Buffer;
}

/** Whether a pattern for sensitive data matched: nothing of such a text is kept. */
export function holdsSensitive({ inspection }: Pick<RequestContext, 'inspection'>): boolean {
  return inspection?.matched.includes(true) === true;
}

/** Whether a pattern matched whose rule does more than mask. */
export function decidesSensitive({ inspection, section }: Pick<RequestContext, 'inspection' | 'section'>): boolean {
  return inspection?.matched.some((found, at) => found && section.masks?.[at] == null) === true;
}

/** Whether the first matching rule that does more than mask refuses the request. */
export function blocksSensitive({ inspection, section }: Pick<RequestContext, 'inspection' | 'section'>): boolean {
  return section.sensitivity.find(({ then }, at) => then.kind !== 'mask' && inspection?.matched[at] === true)?.then.kind === 'block';
}
