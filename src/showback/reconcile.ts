import { counted } from '../lib/counted.ts';
import type { SavingsLine } from '../ledger/query.ts';
import { added, type Bill, type BillLine } from './bill.ts';
import { ModelFinder, modelName } from './model-names.ts';

/** One model in the bill and in the ledger. */
export interface Compared {
  readonly model: string;
  readonly bill: BillLine | null;
  readonly ledger: BillLine | null;
  /** Bill divided by ledger, minus one: in dollars if the bill has them, else in all tokens; null if either is empty. */
  readonly off: number | null;
  /** Bill minus ledger, in the same unit; null if either is not known. */
  readonly difference: number | null;
  /** Exchanges of the ledger with unknown cost or usage. */
  readonly unknown: number;
  /** False for words of the bill that name no known model. */
  readonly named: boolean;
}

/** Bills are in whole cents: a difference in dollars up to this is one of rounding. Sums of cents are off by less than the rest. */
const roundingUsd = 0.01 + 1e-6;

/** Compares a bill with the ledger's sums by model (`lines`, grouped by model first). `known`: names of models to look for in a bill's words. */
export function reconcile(bill: Bill, lines: readonly SavingsLine[], known: Iterable<string> = []): Compared[] {
  const own = ownSums(bill, lines);
  const billed = billedLines(bill, new ModelFinder([...known, ...own.keys()]));
  const models = new Set([...billed.keys(), ...[...own.keys()].filter((model) => model !== 'none')]);
  return [...models]
    .map((model): Compared => {
      const { line = null, named = true } = billed.get(model) ?? {};
      const ledger = own.get(model);
      return { ...compared(model, line, ledger?.line ?? null, bill.what), unknown: ledger?.unknown ?? 0, named };
    })
    .sort((a, b) => (sizeOf(b.bill ?? b.ledger, bill.what) ?? 0) - (sizeOf(a.bill ?? a.ledger, bill.what) ?? 0));
}

/** All lines together, those of no known model too. */
export function total(bill: Bill, rows: readonly Compared[]): Compared {
  const sum = (pick: (one: Compared) => BillLine | null): BillLine | null =>
    rows
      .map(pick)
      .filter((line) => line !== null)
      .reduce<BillLine | null>((all, line) => added(all ?? undefined, { ...line, model: 'all' }), null);
  return {
    ...compared(
      'all',
      sum(({ bill: line }) => line),
      sum(({ ledger }) => ledger),
      bill.what,
    ),
    unknown: rows.reduce((all, { unknown }) => all + unknown, 0),
    named: true,
  };
}

function compared(model: string, bill: BillLine | null, ledger: BillLine | null, what: Bill['what']): Omit<Compared, 'unknown' | 'named'> {
  const [billed, recorded] = [sizeOf(bill, what), sizeOf(ledger, what)];
  return {
    model,
    bill,
    ledger,
    off: offBy(billed ?? 0, recorded ?? 0),
    difference: billed === null || recorded === null ? null : billed - recorded,
  };
}

interface OwnSum {
  readonly line: BillLine;
  readonly unknown: number;
}

function ownSums(bill: Bill, lines: readonly SavingsLine[]): Map<string, OwnSum> {
  const own = new Map<string, OwnSum>();
  for (const one of lines) {
    const model = modelName(one.group[0]!);
    const before = own.get(model);
    const unknown = bill.what === 'cost' ? one.costUnknown : one.usageUnknown;
    const line = { model, requests: one.exchanges, input: one.input, output: one.output, usd: one.cost + one.apart };
    own.set(model, { line: added(before?.line, line), unknown: (before?.unknown ?? 0) + unknown });
  }
  return own;
}

interface Billed {
  readonly line: BillLine;
  readonly named: boolean;
}

/** The bill's lines by model, where its words name one; the others by their words. */
function billedLines(bill: Bill, finder: ModelFinder): Map<string, Billed> {
  const billed = new Map<string, Billed>();
  for (const line of bill.lines) {
    const found = bill.named ? line.model : finder.find(line.model);
    const model = found ?? line.model;
    billed.set(model, { line: added(billed.get(model)?.line, { ...line, model }), named: found !== null });
  }
  return billed;
}

/** Dollars, or tokens of all classes; null if not known. */
function sizeOf(line: BillLine | null, what: Bill['what']): number | null {
  if (line === null) return null;
  if (what === 'cost') return line.usd;
  return line.input === null ? null : line.input + (line.output ?? 0);
}

function offBy(bill: number, ledger: number): number | null {
  return bill === 0 && ledger === 0 ? 0 : bill === 0 || ledger === 0 ? null : bill / ledger - 1;
}

/** Whether a difference is within `tolerance` (0..1), or one of rounding. */
export function agrees({ off, difference, bill, ledger }: Compared, tolerance: number): boolean {
  if (bill !== null && ledger !== null && difference === null) return false;
  if (off !== null && Math.abs(off) <= tolerance) return true;
  return bill?.usd !== null && bill?.usd !== undefined && Math.abs(bill.usd - (ledger?.usd ?? 0)) <= roundingUsd;
}

/** Possible causes of a difference. */
export function reasonFor(one: Compared, tolerance: number): string {
  if (agrees(one, tolerance)) return one.ledger === null ? 'agrees: less than a cent' : 'agrees';
  if (!one.named) return 'names no model that is known: compare it by hand';
  if (one.bill !== null && one.bill.usd === null && one.bill.input === null) return 'the bill has no figure for it';
  if (one.ledger === null || sizeZero(one.ledger))
    return one.unknown > 0
      ? `${counted(one.unknown, 'exchange')} in the ledger of unknown cost or usage`
      : 'not in the ledger: calls past Sluice, or another name';
  if (one.bill === null || sizeZero(one.bill)) return 'not in the bill: another account, or billed later';
  if ((one.off ?? 0) > 0)
    return one.unknown > 0
      ? `more billed: ${counted(one.unknown, 'exchange')} in the ledger of unknown cost or usage`
      : 'more billed: calls past Sluice, or a price that is out of date';
  return 'less billed: a discount, another account, or a price that is out of date';
}

function sizeZero({ input, output, usd }: BillLine): boolean {
  return (input ?? 0) + (output ?? 0) + (usd ?? 0) === 0;
}
