import type { Cost } from '../catalog/types.ts';
import type { Usage } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';
import type { PolicySnapshot, TargetRef } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { regionOf } from '../policy/region.ts';
import { catalogModel } from '../route/capabilities.ts';
import { decide } from '../route/decide.ts';
import type { Decision, Disqualification } from '../route/types.ts';
import { rebuild, type Approximation, type Unreplayable } from './exchange.ts';
import { IntervalSum, type Interval } from './interval.ts';

/** Disqualifications caused by a request's needs; the others come from prices, keys and health. */
const capabilityFaults: ReadonlySet<Disqualification> = new Set<Disqualification>([
  'context-window',
  'max-output',
  'vision',
  'tools',
  'json-object',
  'json-schema',
  'audio-input',
  'audio-output',
  'files',
  'reasoning',
  'parameter',
  'mode',
  'unknown-model',
  'dialect',
  'not-translatable',
]);

export interface Move {
  readonly from: string;
  readonly to: string;
  readonly requests: number;
}

/** The effect that another policy would have had on recorded requests. */
export interface ReplayReport {
  /** Hashes of the policies; `recorded`: the decisions as recorded, with the budgets and cooldowns of that time. */
  readonly policy: string;
  readonly against: string;
  readonly read: number;
  readonly replayed: number;
  readonly skipped: Readonly<Partial<Record<Unreplayable, number>>>;
  /** Requests with another model or provider. */
  readonly moved: number;
  /** Most frequent first; bounded. `refused` takes the place of a target. */
  readonly moves: readonly Move[];
  readonly reasons: Readonly<Record<string, { readonly before: number; readonly after: number }>>;
  /** Requests that would be refused now and were answered before, and the reverse. */
  readonly newlyRefused: number;
  readonly noLongerRefused: number;
  readonly cost: {
    /** Answered both ways, with usage and both prices known. */
    readonly compared: number;
    /** Answered both ways, but usage or a price is unknown. */
    readonly unknown: number;
    readonly beforeUsd: number;
    readonly afterUsd: number;
    /** after − before; null for fewer than two requests. */
    readonly difference: Interval | null;
    /** The difference and its interval relative to the cost before; null if that is zero. */
    readonly relative: { readonly difference: number; readonly low: number; readonly high: number } | null;
  };
  /** Requests for which a target in the policy was excluded because of the request's needs, by need. */
  readonly capabilities: Readonly<Partial<Record<Disqualification, number>>>;
  /** Requests that keep the app's model, or are refused, because no target in the policy can take them; before and after. */
  readonly unable: { readonly before: number; readonly after: number };
  /** Requests whose decision may depend on data that records do not hold. */
  readonly approximated: Readonly<Partial<Record<Approximation, number>>>;
  /** Rules over text that requests reached and that their records cannot answer, by name: they counted as no match. */
  readonly unknownRules: Readonly<Record<string, number>>;
}

const refused = 'refused';

/**
 * Decides recorded requests again, one at a time, with the server's own decide(). `baseline` null: compares with the recorded decisions.
 */
export class Replay {
  readonly #policy: PolicySnapshot;
  readonly #baseline: PolicySnapshot | null;
  readonly #skipped: Partial<Record<Unreplayable, number>> = {};
  readonly #approximated: Partial<Record<Approximation, number>> = {};
  readonly #capabilities: Partial<Record<Disqualification, number>> = {};
  readonly #unknownRules = new Map<string, number>();
  readonly #reasons = new Map<string, { before: number; after: number }>();
  readonly #moves = new Map<string, { from: string; to: string; requests: number }>();
  readonly #difference = new IntervalSum();
  #read = 0;
  #replayed = 0;
  #moved = 0;
  #newlyRefused = 0;
  #noLongerRefused = 0;
  #unknown = 0;
  #before = 0;
  #after = 0;
  readonly #unable = { before: 0, after: 0 };

  constructor(policy: PolicySnapshot, baseline: PolicySnapshot | null) {
    this.#policy = policy;
    this.#baseline = baseline;
  }

  add(record: ExchangeRecord): void {
    this.#read++;
    const rebuilt = rebuild(record, this.#policy);
    if (typeof rebuilt === 'string') return bump(this.#skipped, rebuilt);
    const before = this.#decidedBefore(record);
    if (typeof before === 'string') return bump(this.#skipped, before);
    this.#replayed++;
    // Only the prompt shows whether it is sensitive: if the policy still has the pattern, it decides as recorded.
    const carried =
      record.decision !== null &&
      bySensitivity(record.decision) &&
      rebuilt.input.section.sensitivity.some(({ name }) => name === record.decision?.rule);
    const after = carried ? before : decide(rebuilt.input);
    for (const approximation of rebuilt.approximations) bump(this.#approximated, approximation);
    for (const name of rebuilt.unknownRules) this.#unknownRules.set(name, (this.#unknownRules.get(name) ?? 0) + 1);
    this.#compare(record, before, after);
  }

  report(): ReplayReport {
    const relative = this.#difference.relative();
    return {
      policy: this.#policy.hash,
      against: this.#baseline?.hash ?? 'recorded',
      read: this.#read,
      replayed: this.#replayed,
      skipped: this.#skipped,
      moved: this.#moved,
      moves: [...this.#moves.values()]
        .sort((a, b) => b.requests - a.requests || (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1))
        .slice(0, limits.replayMoves),
      reasons: Object.fromEntries([...this.#reasons].sort(([a], [b]) => (a < b ? -1 : 1))),
      newlyRefused: this.#newlyRefused,
      noLongerRefused: this.#noLongerRefused,
      cost: {
        compared: this.#difference.count,
        unknown: this.#unknown,
        beforeUsd: this.#before,
        afterUsd: this.#after,
        difference: this.#difference.result(),
        relative: relative === null ? null : { difference: relative.ratio, low: relative.low, high: relative.high },
      },
      capabilities: this.#capabilities,
      unable: { ...this.#unable },
      approximated: this.#approximated,
      unknownRules: Object.fromEntries(this.#unknownRules),
    };
  }

  #decidedBefore(record: ExchangeRecord): Decision | Unreplayable {
    if (this.#baseline === null) return record.decision ?? 'not-decided';
    const rebuilt = rebuild(record, this.#baseline);
    if (typeof rebuilt === 'string') return rebuilt;
    return record.decision !== null && bySensitivity(record.decision) ? record.decision : decide(rebuilt.input);
  }

  #compare(record: ExchangeRecord, before: Decision, after: Decision): void {
    this.#count(before, 'before');
    this.#count(after, 'after');
    for (const fault of new Set(
      after.candidates.flatMap(({ disqualified }) => (disqualified !== null && capabilityFaults.has(disqualified) ? [disqualified] : [])),
    ))
      bump(this.#capabilities, fault);
    const wasRefused = before.action === 'block';
    const isRefused = after.action === 'block';
    if (isRefused && !wasRefused) this.#newlyRefused++;
    if (wasRefused && !isRefused) this.#noLongerRefused++;
    const from = wasRefused ? refused : nameOf(before.served);
    const to = isRefused ? refused : nameOf(after.served);
    if (from !== to) {
      this.#moved++;
      const key = `${from} ${to}`;
      const move = this.#moves.get(key) ?? { from, to, requests: 0 };
      move.requests++;
      if (this.#moves.size < limits.labelValues * 10) this.#moves.set(key, move);
    }
    if (wasRefused || isRefused) return;
    const { usage } = record;
    // Both priced by the new policy, so that the difference comes from the choice, not from the price list.
    const cost = usage === null ? null : [costOf(this.#policy, before.served, usage), costOf(this.#policy, after.served, usage)];
    const [old, next] = cost ?? [];
    if (old?.known !== true || next?.known !== true) {
      this.#unknown++;
      return;
    }
    this.#before += old.usd;
    this.#after += next.usd;
    this.#difference.add(next.usd - old.usd, old.usd);
  }

  #count(decision: Decision, when: 'before' | 'after'): void {
    const reason = this.#reasons.get(decision.reason) ?? { before: 0, after: 0 };
    reason[when]++;
    this.#reasons.set(decision.reason, reason);
    const nothingElse =
      decision.reason === 'kept-no-candidate' ||
      (decision.action === 'block' &&
        decision.candidates.length > 0 &&
        decision.candidates.every(({ disqualified }) => disqualified !== null));
    if (nothingElse && decision.candidates.some(({ disqualified }) => disqualified !== null && capabilityFaults.has(disqualified)))
      this.#unable[when]++;
  }
}

function bySensitivity({ reason, rule, action, candidates }: Decision): boolean {
  return (
    reason === 'sensitivity' || (reason === 'blocked' && rule !== null && action === 'block' && candidates.every(({ chosen }) => !chosen))
  );
}

function costOf({ providers, catalog }: PolicySnapshot, { provider, model }: TargetRef, usage: Usage): Cost {
  const facts = providers.get(provider);
  return facts === undefined
    ? { known: false, reason: 'model' }
    : catalog.cost(facts.catalogProvider, catalogModel(facts, model), usage, regionOf(facts));
}

function nameOf({ provider, model }: TargetRef): string {
  return `${provider}/${model}`;
}

function bump<K extends string>(counts: Partial<Record<K, number>>, key: K): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
