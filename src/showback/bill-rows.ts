import { gunzipSync } from 'node:zlib';
import { parseCsv } from '../lib/csv.ts';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { messageOf } from '../lib/message-of.ts';

/** One row of an export: values by column in snake case, nested members joined by `_`. */
export interface BillRow {
  readonly values: Readonly<Record<string, string>>;
  /** File, and line or position of the row. */
  readonly where: string;
}

/** The rows of an export, CSV or JSON, packed by gzip or not. `isHead` recognises the line of a CSV that names its columns. Throws SLUICE_BILL. */
export function billRows(bytes: Buffer, file: string, isHead: (columns: readonly string[]) => boolean): BillRow[] {
  const text = unpacked(bytes, file).toString('utf8');
  const start = text.trimStart()[0];
  return start === '{' || start === '[' ? jsonRows(text, file) : csvRows(text, file, isHead);
}

/** `lineItem/UsageStartDate`, `sku.description`, `Cost ($)` and `CostInUsd` as `line_item_usage_start_date` and so on. */
export function columnName(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
}

function unpacked(bytes: Buffer, file: string): Buffer {
  if (bytes.subarray(0, 4).toString('latin1') === 'PAR1')
    throw new SluiceError('SLUICE_BILL', 'this is Parquet.', { where: file, fix: 'Give the export as CSV or JSON.' });
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: limits.billBytes });
  } catch (error) {
    const why = messageOf(error);
    throw new SluiceError('SLUICE_BILL', `it cannot be unpacked: ${why}.`, { where: file, fix: 'Give it unpacked, or a shorter period.' });
  }
}

/** Consoles put lines about the invoice before the one that names the columns. */
const headWithin = 20;

function csvRows(text: string, file: string, isHead: (columns: readonly string[]) => boolean): BillRow[] {
  const table = parseCsv(text);
  const heads = table.slice(0, headWithin).map((row) => row.map(columnName));
  const at = heads.findIndex(isHead);
  if (at === -1) {
    const widest = heads.reduce<readonly string[]>((most, head) => (head.length > most.length ? head : most), []);
    throw unknown(widest, file);
  }
  // `Cost (€)`: only a column's name may state the currency.
  const currency = /[€£¥₹]/.exec(table[at]!.join())?.[0];
  return table
    .slice(at + 1)
    .map((row, index) => ({
      values: {
        ...(currency === undefined ? {} : { currency }),
        ...Object.fromEntries(heads[at]!.map((name, column) => [name, row[column] ?? ''])),
      },
      where: `${file}:${at + index + 2}`,
    }));
}

/** The error for an export that has none of the known sets of columns. */
export function unknown(columns: readonly string[], file: string): SluiceError {
  return new SluiceError('SLUICE_BILL', `no export that is known has these columns: ${columns.slice(0, 8).join(', ') || 'none'}.`, {
    where: file,
  });
}

interface Page {
  readonly data?: readonly Bucket[];
  readonly has_more?: boolean;
}

interface Bucket {
  readonly results?: readonly object[];
}

function jsonRows(text: string, file: string): BillRow[] {
  const pages = parsed(text, file).flatMap((value) => (Array.isArray(value) ? (value as readonly unknown[]) : [value]));
  const paged = pages.filter((page): page is Page => Array.isArray((page as Page | null)?.data));
  if (paged.length > 0 && paged.every(({ has_more: more }) => more === true))
    throw new SluiceError('SLUICE_BILL', 'the last page says has_more: the export is not whole.', {
      where: file,
      fix: 'Fetch the pages that next_page names, and give them all in one file, one after the other.',
    });
  const rows = paged.length === 0 ? pages.map(flat) : paged.flatMap(({ data }) => data!.flatMap(bucketRows));
  return rows.map((values, at) => ({ values, where: `${file}, row ${at + 1}` }));
}

/** One JSON text, or several, one after the other. */
function parsed(text: string, file: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    try {
      // JSON lines, or pages that were written one after the other.
      return JSON.parse(`[${text.trim().replace(/\}\s*\n\s*\{/g, '},{')}]`) as unknown[];
    } catch (error) {
      const why = messageOf(error);
      throw new SluiceError('SLUICE_BILL', `this is no JSON: ${why}.`, { where: file });
    }
  }
}

/** The results of a bucket of OpenAI's or Anthropic's API, each with the times of the bucket. */
function bucketRows(bucket: Bucket): Record<string, string>[] {
  const { results, ...times } = bucket;
  return results === undefined ? [flat(bucket)] : results.map((result) => ({ ...flat(times), ...flat(result) }));
}

/** Nested members joined by `_`; of an array of objects (Google's credits) the sum of each numeric member. */
function flat(value: unknown): Record<string, string> {
  const out: Record<string, string> = {};
  const put = (path: string, one: unknown): void => {
    if (Array.isArray(one)) {
      for (const item of one as readonly unknown[])
        for (const [name, inner] of Object.entries(item ?? {}))
          if (inner !== null && inner !== '' && Number.isFinite(Number(inner)))
            out[columnName(`${path}_${name}`)] = String(Number(out[columnName(`${path}_${name}`)] ?? 0) + Number(inner));
    } else if (one !== null && typeof one === 'object')
      for (const [name, inner] of Object.entries(one)) put(path === '' ? name : `${path}_${name}`, inner);
    else if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') out[columnName(path)] = String(one);
  };
  put('', value);
  return out;
}
