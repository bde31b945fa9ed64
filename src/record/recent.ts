import { limits } from '../lib/limits.ts';
import type { Cost } from '../catalog/types.ts';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { NewestJson } from '../lib/newest-json.ts';
import { figuresOf, type RecentFigures } from './recent-figures.ts';
import { recordJson } from './record-json.ts';
import type { ExchangeRecord, RecordSink } from './types.ts';

export interface RecentFilter {
  /** Newest first, at most this many. */
  readonly limit: number;
  readonly workspace?: string | undefined;
  /** Matches the requested or the served model. */
  readonly model?: string | undefined;
}

/** Sum of known US dollars, with the numbers of exchanges included in it and not. */
export interface DollarTotal {
  usd: number;
  known: number;
  unknown: number;
}

/** Since the process started. */
export interface SavingsTotals {
  readonly since: string;
  readonly exchanges: number;
  /** For exchanges with known savings: baseline - cost = savings. `known` and `unknown` count all exchanges. */
  readonly cost: Readonly<DollarTotal>;
  /** Known cost of exchanges whose savings are unknown; not included in the other totals. */
  readonly apart: { readonly usd: number; readonly exchanges: number };
  readonly baseline: Readonly<DollarTotal>;
  readonly savings: Readonly<DollarTotal>;
  /** What sections in shadow mode would have saved on requests that they would have sent elsewhere; not included in the other totals. */
  readonly shadow: Readonly<DollarTotal>;
}

const recordsATurn = 50;

/** The last records in memory, and the running totals. */
export class RecentRecords implements RecordSink {
  readonly #since = new Date().toISOString();
  readonly #newest: NewestJson<ExchangeRecord>;
  #exchanges = 0;
  readonly #cost: DollarTotal = { usd: 0, known: 0, unknown: 0 };
  readonly #baseline: DollarTotal = { usd: 0, known: 0, unknown: 0 };
  readonly #savings: DollarTotal = { usd: 0, known: 0, unknown: 0 };

  readonly #shadow: DollarTotal = { usd: 0, known: 0, unknown: 0 };
  readonly #apart = { usd: 0, exchanges: 0 };

  constructor(max: number = limits.recentDecisions) {
    this.#newest = new NewestJson(max, limits.recentBytes);
  }

  record(record: ExchangeRecord): void {
    this.#newest.add(record.id, recordJson(record));
    this.#exchanges++;
    const { cost, baseline, savings } = record;
    const compared = savings.known;
    add(this.#cost, cost, compared);
    add(this.#baseline, baseline, compared);
    add(this.#savings, savings, compared);
    if (record.shadowSavings !== undefined) add(this.#shadow, record.shadowSavings, true);
    if (compared || !cost.known) return;
    this.#apart.usd += cost.usd;
    this.#apart.exchanges++;
  }

  get(id: string): ExchangeRecord | null {
    return this.#newest.get(id);
  }

  /**
   * Finds records by an id of another system: the provider's id of the answer, the app's id of the request, or a trace id. Newest first.
   */
  joined(id: string): ExchangeRecord[] {
    return [...this.#newest.values([JSON.stringify(id)])].filter(
      ({ responseId, requestId, traceId }) => responseId === id || requestId === id || traceId === id,
    );
  }

  list(filter: RecentFilter): ExchangeRecord[] {
    const found: ExchangeRecord[] = [];
    const named = filter.model ?? filter.workspace;
    for (const record of this.#newest.values(named === undefined ? [] : [JSON.stringify(named)])) {
      if (found.length >= filter.limit) break;
      if (filter.workspace !== undefined && record.workspace !== filter.workspace) continue;
      if (filter.model !== undefined && record.requestedModel !== filter.model && record.servedModel !== filter.model) continue;
      found.push(record);
    }
    return found;
  }

  /** Figures of the records in memory, which are read in several turns: requests must not wait for all of them. */
  async figures(): Promise<RecentFigures> {
    const records: ExchangeRecord[] = [];
    for (const record of this.#newest.values()) if (records.push(record) % recordsATurn === 0) await nextTurn();
    return figuresOf(records.reverse());
  }

  totals(): SavingsTotals {
    return {
      since: this.#since,
      exchanges: this.#exchanges,
      cost: { ...this.#cost },
      apart: { ...this.#apart },
      baseline: { ...this.#baseline },
      savings: { ...this.#savings },
      shadow: { ...this.#shadow },
    };
  }
}

/** Totals of several processes as one; at least one is given. */
export function addTotals(all: readonly SavingsTotals[]): SavingsTotals {
  const sum = (read: (totals: SavingsTotals) => number): number => all.reduce((total, one) => total + read(one), 0);
  const dollars = (name: 'cost' | 'baseline' | 'savings' | 'shadow'): DollarTotal => ({
    usd: sum((one) => one[name].usd),
    known: sum((one) => one[name].known),
    unknown: sum((one) => one[name].unknown),
  });
  return {
    since: all.map(({ since }) => since).sort()[0]!,
    exchanges: sum(({ exchanges }) => exchanges),
    cost: dollars('cost'),
    apart: { usd: sum(({ apart }) => apart.usd), exchanges: sum(({ apart }) => apart.exchanges) },
    baseline: dollars('baseline'),
    savings: dollars('savings'),
    shadow: dollars('shadow'),
  };
}

/** `compared`: whether it has a baseline, so that its dollars are included in the sums. */
function add(total: DollarTotal, cost: Cost, compared: boolean): void {
  if (cost.known) {
    if (compared) total.usd += cost.usd;
    total.known++;
  } else {
    total.unknown++;
  }
}
