import type { Report } from './report.ts';

/** A report as Markdown tables. */
export function reportText(report: Report): string {
  const lines = [
    `## ${report.title}`,
    '',
    `${report.rows} rows. Weak model ${percent(report.weakScore)}, strong model ${percent(report.strongScore)}: a gap of ${percent(report.gap)}. Abstained: ${percent(report.abstained)}.`,
    'Loss is relative to always-strong. APGR 0.5 is chance; CPT is the share of strong calls that keeps 50 or 80% of the gap.',
    '',
    '| router | APGR | CPT50 | CPT80 | ECE | on the weak model at 1% loss | at 3% loss |',
    '|---|---|---|---|---|---|---|',
    ...report.routers.map(
      (row) =>
        `| ${row.name} | ${figure(row.apgr)} | ${percent(row.cpt50)} | ${percent(row.cpt80)} | ${row.ece === null ? '' : row.ece.toFixed(3)} | ${percent(row.weakShareAt1)} | ${percent(row.weakShareAt3)} |`,
    ),
    '',
    '| source | rows | gap | APGR | on the weak model at 1% loss | at 3% loss | abstained |',
    '|---|---|---|---|---|---|---|',
    ...report.sources.map(
      (row) =>
        `| ${row.source} | ${row.rows} | ${percent(row.gap)} | ${figure(row.apgr)} | ${percent(row.weakShareAt1)} | ${percent(row.weakShareAt3)} | ${percent(row.abstained)} |`,
    ),
    '',
    "What this router's order would save with a pair of models of another gap:",
    '',
    '| gap | on the weak model at 1% loss | at 3% loss |',
    '|---|---|---|',
    ...report.byGap.map((row) => `| ${percent(row.gap)} | ${percent(row.weakShareAt1)} | ${percent(row.weakShareAt3)} |`),
  ];
  if (report.threshold !== null) {
    const { threshold, weakShare, loss } = report.threshold;
    lines.push(
      '',
      `Threshold ${threshold.toFixed(4)}: ${percent(weakShare)} on the weak model, ${percent(loss)} loss (abstentions go to the strong model).`,
    );
  }
  return `${lines.join('\n')}\n`;
}

export function percent(value: number): string {
  return `${(value * 100).toFixed(1)}%`;
}

/** If the models score the same, there is no gap to keep. */
function figure(value: number): string {
  return Number.isNaN(value) ? 'no gap' : value.toFixed(3);
}
