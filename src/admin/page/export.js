import { element } from '/page/format.js';

const columns = [
  ['time', ({ time }) => time],
  ['id', ({ id }) => id],
  ['workspace', ({ workspace }) => workspace],
  ['user', ({ user }) => user],
  ['requested_model', ({ requestedModel }) => requestedModel],
  ['served_model', ({ servedModel }) => servedModel],
  ['tier', ({ decision, cacheEntry }) => decision?.tier ?? cacheEntry?.tier],
  ['reason', ({ decision, passReason }) => decision?.reason ?? passReason],
  ['outcome', ({ outcome }) => outcome],
  ['status', ({ status }) => status],
  ['cost', ({ cost }) => (cost.known ? cost.usd : null)],
  ['saved', ({ savings }) => (savings.known ? savings.usd : null)],
  ['latency_ms', ({ timing }) => timing.totalMs],
  ['response_id', ({ responseId }) => responseId],
  ['request_id', ({ requestId }) => requestId],
  ['trace', ({ traceId }) => traceId],
];

/** A cell as CSV has it. What a spreadsheet would take for a formula is a text. */
function cell(value) {
  const text = value === null || value === undefined ? '' : String(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csv = (records) =>
  `${[columns.map(([name]) => name), ...records.map((record) => columns.map(([, of]) => of(record)))].map((row) => row.map(cell).join(',')).join('\n')}\n`;

/** Gives the browser a file to keep. */
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  element('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
