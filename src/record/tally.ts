import { Counter, type Registry } from 'prom-client';
import type { MetricSpec } from './metric-table.ts';

/** One series of a counter: what was added since it was last read. */
export interface TallyCell {
  waiting: number;
  /** Whether anything was, be it zero: only then the series is shown. */
  counted: boolean;
}

/**
 * A counter whose counts are kept beside prom-client and told to it when somebody reads: prom-client puts a series' labels together at
 * each increment, which costs a request more than all its counting.
 */
export class Tally {
  readonly #counter: Counter;
  readonly #cells = new Map<string, TallyCell & { readonly child: Counter.Internal }>();

  constructor(spec: MetricSpec, registry: Registry) {
    this.#counter = new Counter({ name: spec.name, help: spec.help, labelNames: [...spec.labels], registers: [registry], collect: () => this.#tell() });
  }

  /** A series that is there; undefined: these labels have none yet. */
  find(values: readonly string[]): TallyCell | undefined {
    return this.#cells.get(keyOf(values));
  }

  /** The cell of a series, which is shown once something is counted in it. */
  begin(values: readonly string[]): TallyCell {
    const known = this.find(values);
    if (known !== undefined) return known;
    const child = this.#counter.labels(...values);
    const cell = { waiting: 0, counted: false, child };
    this.#cells.set(keyOf(values), cell);
    return cell;
  }

  #tell(): void {
    for (const cell of this.#cells.values()) {
      if (!cell.counted) continue;
      cell.child.inc(cell.waiting);
      cell.waiting = 0;
      cell.counted = false;
    }
  }
}

/** Throws on what is no count, as prom-client does. */
export function count(cell: TallyCell, by = 1): void {
  if (!(by >= 0 && by < Infinity)) throw new RangeError(`a counter cannot count ${by}`);
  cell.waiting += by;
  cell.counted = true;
}

function keyOf(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : values.join(' ');
}
