import { counted } from '../lib/counted.ts';
import type { SavingsLine } from '../ledger/query.ts';
import { modelName, type Bill, type BillLine } from './bill.ts';

/** One model in the bill and in the ledger. */
export interface Compared {
  readonly model: string;
  readonly bill: BillLine | null;
  readonly ledger: BillLine | null;
  /** Bill divided by ledger, minus one: in dollars if the bill has them, else in all tokens; null if either is empty. */
  readonly off: number | null;
  /** Exchanges of the ledger with unknown cost or usage. */
  readonly unknown: number;
}

/** Compares a bill with the ledger's sums by model (`lines`, grouped by model alone). Most expensive first. */
export function reconcile(bill: Bill, lines: readonly SavingsLine[]): Compared[] {
  const known = new Map<string, { line: BillLine; unknown: number }>();
  for (const one of lines) {
    const model = modelName(one.group[0]!);
    const before = known.get(model);
    const unknown = bill.what === 'cost' ? one.costUnknown : one.usageUnknown;
    const line = { model, requests: one.exchanges, input: one.input, output: one.output, usd: one.cost + one.apart };
    known.set(
      model,
      before === undefined
        ? { line, unknown }
        : {
            line: {
              model,
              requests: before.line.requests! + line.requests,
              input: before.line.input! + line.input,
              output: before.line.output! + line.output,
              usd: before.line.usd! + line.usd,
            },
            unknown: before.unknown + unknown,
          },
    );
  }
  const models = new Set([...bill.lines.map(({ model }) => model), ...[...known.keys()].filter((model) => model !== 'none')]);
  return [...models]
    .map((model): Compared => {
      const billed = bill.lines.find((line) => line.model === model) ?? null;
      const own = known.get(model);
      const ledger = own?.line ?? null;
      return { model, bill: billed, ledger, off: offBy(sizeOf(billed, bill.what), sizeOf(ledger, bill.what)), unknown: own?.unknown ?? 0 };
    })
    .sort((a, b) => sizeOf(b.bill ?? b.ledger, bill.what) - sizeOf(a.bill ?? a.ledger, bill.what));
}

function sizeOf(line: BillLine | null, what: Bill['what']): number {
  return line === null ? 0 : what === 'cost' ? (line.usd ?? 0) : (line.input ?? 0) + (line.output ?? 0);
}

function offBy(bill: number, ledger: number): number | null {
  return bill === 0 && ledger === 0 ? 0 : bill === 0 || ledger === 0 ? null : bill / ledger - 1;
}

/** Whether a difference is within `tolerance` (0..1). */
export function agrees({ off }: Compared, tolerance: number): boolean {
  return off !== null && Math.abs(off) <= tolerance;
}

/** Possible causes of a difference. */
export function reasonFor(one: Compared, tolerance: number): string {
  if (agrees(one, tolerance)) return 'agrees';
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
