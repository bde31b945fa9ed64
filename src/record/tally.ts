import { Counter, type Registry } from 'prom-client';
import type { MetricSpec } from './metric-specs/spec.ts';

/** One series of a counter: the sum added since it was last read. */
export interface TallyCell {
  waiting: number;
  /** Whether anything was added, even zero: only then is the series exported. */
  counted: boolean;
}

type Child = TallyCell & { readonly child: Counter.Internal };

/** Nested by label value, one label per level. */
type Cells = Map<string, Cells | Child>;

/** Most labels of a counter. */
type TallyLabels = readonly [a?: string, b?: string, c?: string, d?: string, e?: string, f?: string, g?: string];

/**
 * A counter kept outside prom-client and copied to it when read: prom-client joins a series' labels at each increment, which would cost
 * more than all other counting of a request.
 */
export class Tally {
  readonly #counter: Counter;
  readonly #cells: Cells = new Map();
  readonly #all: Child[] = [];
  readonly #labels: number;

  constructor(spec: MetricSpec, registry: Registry) {
    this.#labels = spec.labels.length;
    this.#counter = new Counter({
      name: spec.name,
      help: spec.help,
      labelNames: [...spec.labels],
      registers: [registry],
      collect: () => this.#tell(),
    });
  }

  /** The existing series; undefined if there is none for these labels. Allocates neither a list of the labels nor a key. */
  find(a = '', b = '', c = '', d = '', e = '', f = '', g = ''): TallyCell | undefined {
    let at: Cells | Child | undefined = this.#cells.get(a);
    if (this.#labels > 1) at = (at as Cells | undefined)?.get(b);
    if (this.#labels > 2) at = (at as Cells | undefined)?.get(c);
    if (this.#labels > 3) at = (at as Cells | undefined)?.get(d);
    if (this.#labels > 4) at = (at as Cells | undefined)?.get(e);
    if (this.#labels > 5) at = (at as Cells | undefined)?.get(f);
    if (this.#labels > 6) at = (at as Cells | undefined)?.get(g);
    return at as Child | undefined;
  }

  /** The cell of a series, which is exported once something was counted. */
  begin(values: readonly string[]): TallyCell {
    const known = this.find(...(values as TallyLabels));
    if (known !== undefined) return known;
    const cell = { waiting: 0, counted: false, child: this.#counter.labels(...values) };
    let cells = this.#cells;
    for (const value of values.slice(0, -1)) {
      let inner = cells.get(value) as Cells | undefined;
      if (inner === undefined) cells.set(value, (inner = new Map()));
      cells = inner;
    }
    cells.set(values.at(-1) ?? '', cell);
    this.#all.push(cell);
    return cell;
  }

  #tell(): void {
    for (const cell of this.#all) {
      if (!cell.counted) continue;
      cell.child.inc(cell.waiting);
      cell.waiting = 0;
      cell.counted = false;
    }
  }
}

/** Throws on invalid counts, like prom-client. */
export function count(cell: TallyCell, by = 1): void {
  if (!(by >= 0 && by < Infinity)) throw new RangeError(`a counter cannot count ${by}`);
  cell.waiting += by;
  cell.counted = true;
}
