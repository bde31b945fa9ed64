import type { ModelCard } from '../model/types.ts';
import { reportText, percent } from './report-text.ts';
import type { Report } from './report.ts';

const width = 560;
const height = 320;
const margin = 52;
/** Width reserved for the names of the curves, in pixels. */
const legend = 195;
const colours = ['#0b6bcb', '#b54708', '#7a5af8', '#98a2b3', '#475467', '#079455'];

/** Reports as one self-contained HTML page: plots as SVG, and the tables. */
export function reportHtml(title: string, reports: readonly Report[], card: ModelCard | null): string {
  const body = reports
    .map(
      (report) =>
        `<section><h2>${escape(report.title)}</h2>${quality(report)}${calibration(report)}${savings(report)}${textHtml(reportText(report))}</section>`,
    )
    .join('\n');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title><style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#101828}
figure{display:inline-block;margin:0 1rem 1rem 0}figcaption{font-size:13px;color:#475467}
table{border-collapse:collapse;margin:1rem 0;font-size:13px}th,td{padding:.25rem .75rem;border-bottom:1px solid #eaecf0;text-align:right}th:first-child,td:first-child{text-align:left}svg text{font:11px system-ui,sans-serif;fill:#475467}
</style></head><body><h1>${escape(title)}</h1>
${card === null ? '' : cardHtml(card)}
${body}
</body></html>
`;
}

function cardHtml(card: ModelCard): string {
  const sources = card.sources
    .map(
      ({ source, rows, licence, weakModel, strongModel }) =>
        `<li>${escape(source)}: ${rows} rows, ${escape(weakModel)} and ${escape(strongModel)}, ${escape(licence)}</li>`,
    )
    .join('');
  const limits = card.limits.map((limit) => `<li>${escape(limit)}</li>`).join('');
  return `<section><h2>Model card: ${escape(card.name)}</h2><p>${card.rows} rows, SHA-256 ${escape(card.dataSha256)}, ${escape(card.trainedWith)}.</p><ul>${sources}</ul><h3>Limits</h3><ul>${limits}</ul></section>`;
}

/** The text of a report as HTML: its tables and the text between them. Its title is the section's. */
function textHtml(text: string): string {
  const blocks = text
    .trim()
    .split(/\n\n+/)
    .filter((block) => !block.startsWith('## '));
  return blocks
    .map((block) => {
      const rows = block.split('\n');
      if (!block.startsWith('|')) return `<p>${escape(rows.join(' '))}</p>`;
      const cells = (row: string, tag: string): string =>
        `<tr>${row
          .slice(1, -1)
          .split('|')
          .map((cell) => `<${tag}>${escape(cell.trim())}</${tag}>`)
          .join('')}</tr>`;
      return `<table><thead>${cells(rows[0]!, 'th')}</thead><tbody>${rows
        .slice(2)
        .map((row) => cells(row, 'td'))
        .join('')}</tbody></table>`;
    })
    .join('');
}

/** Ticks closer than this are drawn without a label. */
const leastTick = 0.05;

/** Share of strong calls against the share of the gap that is kept. */
function quality({ routers }: Report): string {
  const x = (share: number): number => margin + share * (width - margin - legend);
  const y = (kept: number): number => height - margin - Math.min(1.25, Math.max(0, kept)) * ((height - 2 * margin) / 1.25);
  const lines = routers.map(({ name, kept }, at) => {
    const path = kept.map((value, step) => `${x(1 - step / 100).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    return `<polyline fill="none" stroke="${colours[at]!}" stroke-width="${at === 0 ? 2.5 : 1.2}" points="${path}"/><text x="${width - legend + 14}" y="${margin + at * 16}" style="fill:${colours[at]!}">${escape(name)}</text>`;
  });
  return figure(
    'Cost and quality: share of strong calls (across) and share of the gap kept (up)',
    axes(x, y, [0, 0.25, 0.5, 0.75, 1], [0, 0.25, 0.5, 0.75, 1]) + lines.join(''),
  );
}

/** Predicted against real gain. */
function calibration({ reliability }: Report): string {
  const all = reliability.flatMap(({ score, gain }) => [score, gain]);
  const low = Math.min(0, ...all);
  const high = Math.max(0.1, ...all);
  const x = (value: number): number => margin + ((value - low) / (high - low)) * (width - 2 * margin);
  const y = (value: number): number => height - margin - ((value - low) / (high - low)) * (height - 2 * margin);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * (high - low));
  const dots = reliability
    .map(({ score, gain }) => `<circle cx="${x(score).toFixed(1)}" cy="${y(gain).toFixed(1)}" r="4" fill="${colours[0]!}"/>`)
    .join('');
  return figure(
    'Calibration: predicted gain (across) and real gain (up), ten bins',
    `${axes(x, y, ticks, ticks)}<line x1="${x(low)}" y1="${y(low)}" x2="${x(high)}" y2="${y(high)}" stroke="#98a2b3"/>${dots}`,
  );
}

/** Savings of this order of prompts, by the gap of the pair. */
function savings({ byGap }: Report): string {
  const most = Math.max(...byGap.map(({ gap }) => gap));
  const x = (gap: number): number => margin + (gap / most) * (width - 2 * margin);
  const y = (share: number): number => height - margin - share * (height - 2 * margin);
  const path = (pick: (row: Report['byGap'][number]) => number): string =>
    byGap.map((row) => `${x(row.gap).toFixed(1)},${y(pick(row)).toFixed(1)}`).join(' ');
  const lines = [
    `<polyline fill="none" stroke="${colours[0]!}" stroke-width="2" points="${path(({ weakShareAt3 }) => weakShareAt3)}"/>`,
    `<polyline fill="none" stroke="${colours[1]!}" stroke-width="2" points="${path(({ weakShareAt1 }) => weakShareAt1)}"/>`,
  ];
  return figure(
    'Savings: gap of the pair (across) and share of calls on the weak model (up) at 3% loss (blue) and 1% (brown)',
    axes(
      x,
      y,
      byGap.map(({ gap }) => gap).filter((gap) => gap >= leastTick),
      [0, 0.25, 0.5, 0.75, 1],
    ) + lines.join(''),
  );
}

function axes(x: (value: number) => number, y: (value: number) => number, across: readonly number[], up: readonly number[]): string {
  const grid = [
    ...across.map(
      (value) =>
        `<line x1="${x(value).toFixed(1)}" y1="${margin}" x2="${x(value).toFixed(1)}" y2="${height - margin}" stroke="#eaecf0"/><text x="${x(value).toFixed(1)}" y="${height - margin + 16}" text-anchor="middle">${percent(value)}</text>`,
    ),
    ...up.map(
      (value) =>
        `<line x1="${margin}" y1="${y(value).toFixed(1)}" x2="${x(across.at(-1)!).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="#eaecf0"/><text x="${margin - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${percent(value)}</text>`,
    ),
  ];
  return grid.join('');
}

function figure(caption: string, content: string): string {
  return `<figure><svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(caption)}">${content}</svg><figcaption>${escape(caption)}</figcaption></figure>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
