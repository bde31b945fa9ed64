/** One value in RFC 4180. A text that a spreadsheet would take for a formula is prefixed with an apostrophe; null is empty. */
export function csvValue(value: string | number | boolean | null): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A header line and rows, each with a line end. */
export function csvText(head: readonly string[], rows: readonly (readonly (string | number | boolean | null)[])[]): string {
  return [head, ...rows].map((row) => `${row.map(csvValue).join(',')}\n`).join('');
}

/** Parses RFC 4180: quoted values may contain commas, quotes and line breaks. Empty lines and a byte order mark are skipped. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let value = '';
  let quoted = false;
  const clean = text.startsWith('\uFEFF') ? text.slice(1) : text;
  for (let at = 0; at < clean.length; at++) {
    const letter = clean[at]!;
    if (quoted) {
      if (letter !== '"') value += letter;
      else if (clean[at + 1] === '"') value += clean[++at]!;
      else quoted = false;
    } else if (letter === '"' && value === '') quoted = true;
    else if (letter === ',') {
      row.push(value);
      value = '';
    } else if (letter === '\n' || letter === '\r') {
      if (letter === '\r' && clean[at + 1] === '\n') at++;
      row.push(value);
      if (row.length > 1 || row[0] !== '') rows.push(row);
      [row, value] = [[], ''];
    } else value += letter;
  }
  row.push(value);
  if (row.length > 1 || row[0] !== '') rows.push(row);
  return rows;
}
