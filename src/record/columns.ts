import type { Cost } from '../catalog/types.ts';
import { printable } from './printable.ts';

/** Text columns for a terminal: text left-aligned, numbers (`right`) right-aligned. */
export function alignColumns(head: readonly string[], rows: readonly (readonly string[])[], right: ReadonlySet<number>): string {
  const clean = rows.map((row) => row.map(printable));
  const widths = head.map((title, column) => clean.reduce((widest, row) => Math.max(widest, row[column]!.length), title.length));
  return [head, ...clean]
    .map((row) =>
      row
        .map((cell, column) => (right.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** US dollars for display; small amounts keep their significant digits. */
export function dollars(usd: number): string {
  const size = Math.abs(usd);
  // An amount too small to display is not shown as zero.
  if (size > 0 && size < 0.0000005) return usd < 0 ? '>-$0.000001' : '<$0.000001';
  const digits = size === 0 || size >= 100 ? 2 : size >= 0.01 ? 4 : 6;
  return `${usd < 0 ? '-' : ''}$${size.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

/** In whole cents, as bills are; an amount below one keeps the digits that it has. */
export function cents(usd: number): string {
  return usd !== 0 && Math.abs(usd) < 0.01 ? dollars(usd) : `${usd < 0 ? '-' : ''}$${Math.abs(usd).toFixed(2)}`;
}

/** `dollars` of a cost that may be unknown. */
export function costText(cost: Cost): string {
  return cost.known ? dollars(cost.usd) : `? (${cost.reason})`;
}

/** 0..1 as a percentage; `–` for null. */
export function percent(share: number | null): string {
  return share === null ? '–' : `${(share * 100).toFixed(1)}%`;
}
