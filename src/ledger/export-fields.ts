import type { Usage } from '../apis/types.ts';
import { csvText } from '../lib/csv.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { columnNames, columnsOf, columnTypes } from './types.ts';

/** Fields needed to recompute a cost, besides the columns: token classes as priced, the price source, and every attempt. */
const more = {
  kind: 'text',
  section: 'text',
  mode: 'text',
  arm: 'text',
  stream: 'text',
  operation: 'text',
  catalog: 'text',
  key: 'text',
  template: 'text',
  answered_model: 'text',
  input_uncached: 'number',
  cached_read: 'number',
  cache_write_5m: 'number',
  cache_write_1h: 'number',
  audio_input: 'number',
  output_visible: 'number',
  reasoning: 'number',
  audio_output: 'number',
  cached_audio: 'number',
  image_input: 'number',
  image_output: 'number',
  longest_input: 'number',
  service: 'text',
  calls: 'text',
  uplifts: 'text',
  beyond: 'text',
  usage_unknown: 'text',
  baseline_model: 'text',
  usage: 'text',
  attempts_json: 'text',
} as const;

/** The fields of tabular exports, after the time. */
export const exportColumns: readonly string[] = [...columnNames, ...Object.keys(more)];

/** Whether a field is numeric. */
export function isNumber(name: string): boolean {
  return name in more ? more[name as keyof typeof more] === 'number' : columnTypes[name as keyof typeof columnTypes] !== 'text';
}

/** The values of one record, in the order of exportColumns. Tokens and dollars are null if unknown. */
export function exportValues(record: ExchangeRecord): (string | number | null)[] {
  const columns = columnsOf(record);
  return [...columnNames.map((name) => columns[name]), ...Object.values(moreOf(record))];
}

function moreOf(record: ExchangeRecord): Record<keyof typeof more, string | number | null> {
  const { usage, decision } = record;
  const tokens = (name: keyof Usage): number | null => (usage === null ? null : Number(usage[name] ?? 0));
  const against = decision?.baseline?.target;
  return {
    kind: record.kind,
    section: record.section,
    mode: record.mode,
    arm: record.arm,
    stream: String(record.stream),
    operation: record.operation,
    catalog: record.catalogVersion,
    key: record.key ?? null,
    template: record.template ?? null,
    answered_model: record.answeredModel,
    input_uncached: tokens('input'),
    cached_read: tokens('cachedRead'),
    cache_write_5m: tokens('cacheWrite5m'),
    cache_write_1h: tokens('cacheWrite1h'),
    audio_input: tokens('audioInput'),
    output_visible: tokens('output'),
    reasoning: tokens('reasoning'),
    audio_output: tokens('audioOutput'),
    cached_audio: tokens('cachedAudio'),
    image_input: tokens('imageInput'),
    image_output: tokens('imageOutput'),
    longest_input: usage?.longestInput ?? null,
    service: usage?.service ?? null,
    calls: usage?.calls === undefined ? null : JSON.stringify(usage.calls),
    uplifts: usage?.uplifts?.join(' ') ?? null,
    beyond: usage?.beyond?.join(' ') ?? null,
    usage_unknown: record.usageUnknown,
    baseline_model: against === undefined ? null : `${against.provider}/${against.model}`,
    usage: usage?.raw ?? null,
    attempts_json: record.attempts.length === 0 ? null : JSON.stringify(record.attempts),
  };
}

/** Records with the fields of `ledger export --format csv`. */
export function decisionsCsv(records: readonly ExchangeRecord[]): string {
  return csvText(
    ['time', ...exportColumns],
    records.map((record) => [record.time, ...exportValues(record)]),
  );
}
