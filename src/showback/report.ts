import { rounded, type SavingsLine, type SavingsReport } from '../ledger/query.ts';

/** Cost of a team's models in a period, and how certain it is. Dollars; null if not a single amount is known. */
interface TeamLine {
  readonly team: string;
  readonly exchanges: number;
  /** All known spending. */
  readonly spent: number | null;
  readonly baseline: number | null;
  readonly saved: number | null;
  /** 0..1: share of exchanges with a known cost; null if there are none. */
  readonly costKnown: number | null;
  readonly savingsKnown: number | null;
  readonly models: readonly { readonly model: string; readonly spent: number | null; readonly exchanges: number }[];
}

export interface Showback {
  readonly from: string;
  readonly to: string;
  /** The period is not over: more may come. */
  readonly open: boolean;
  readonly teams: readonly TeamLine[];
  readonly total: TeamLine;
}

/** Number of models shown per team. */
const mostModels = 5;

/** Built from the sums by workspace, and those by workspace and model. `now`: ms since 1970. */
export function showback(byTeam: SavingsReport, byModel: SavingsReport, now: number): Showback {
  const models = (team: string): TeamLine['models'] =>
    byModel.lines
      .filter(({ group }) => group[0] === team && group[1] !== 'none')
      .map((line) => ({ model: line.group[1]!, spent: spentOf(line), exchanges: line.exchanges }))
      .sort((a, b) => (b.spent ?? -1) - (a.spent ?? -1))
      .slice(0, mostModels);
  const teams = (byTeam.rest === null ? byTeam.lines : [...byTeam.lines, byTeam.rest])
    .map((line) => teamLine(line.group[0]!, line, models(line.group[0]!)))
    .sort((a, b) => (b.spent ?? -1) - (a.spent ?? -1));
  return { from: byTeam.from, to: byTeam.to, open: Date.parse(byTeam.to) > now, teams, total: teamLine('all', byTeam.total, []) };
}

function teamLine(team: string, line: SavingsLine, models: TeamLine['models']): TeamLine {
  const share = (unknown: number): number | null => (line.exchanges === 0 ? null : 1 - unknown / line.exchanges);
  const compared = line.exchanges === 0 || line.savingsUnknown < line.exchanges;
  return {
    team,
    exchanges: line.exchanges,
    spent: spentOf(line),
    baseline: compared ? line.baseline : null,
    saved: compared ? line.savings : null,
    costKnown: share(line.costUnknown),
    savingsKnown: share(line.savingsUnknown),
    models,
  };
}

function spentOf({ cost, apart, costUnknown, exchanges }: SavingsLine): number | null {
  return exchanges > 0 && costUnknown === exchanges ? null : rounded(cost + apart);
}

/** How certain a sum is, in words. */
export function sureness(known: number | null): string {
  if (known === null) return 'nothing to know';
  if (known === 1) return 'all known';
  if (known === 0) return 'unknown';
  return `at least: ${(Math.floor(known * 1_000) / 10).toFixed(1)}% known`;
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const html = (text: string): string => text.replace(/[&<>"']/g, (letter) => escapes[letter]!);

/** One HTML page without scripts or external resources. `format` formats an amount. */
export function showbackHtml({ from, to, open, teams, total }: Showback, format: (usd: number) => string): string {
  const dollars = (usd: number | null): string => (usd === null ? '?' : format(usd));
  const day = (time: string): string => time.slice(0, 16).replace('T', ' ');
  const row = (line: TeamLine, tag: 'td' | 'th'): string =>
    `<tr><th scope="row">${html(line.team)}</th>${[line.exchanges.toLocaleString('en-US'), dollars(line.spent), dollars(line.baseline), dollars(line.saved), sureness(line.costKnown), sureness(line.savingsKnown), line.models.map(({ model, spent }) => `${model} ${dollars(spent)}`).join(', ')].map((text) => `<${tag}>${html(text)}</${tag}>`).join('')}</tr>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>AI cost by team</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%}th,td{padding:.4rem .7rem;text-align:right;border-bottom:1px solid #ccc}th:first-child,td:last-child,th:last-child{text-align:left}tfoot th{border-top:2px solid #333}.wide{overflow-x:auto}</style></head>
<body><h1>AI cost by team</h1><p>${html(day(from))} to ${html(day(to))} UTC${open ? ', which is not over' : ''}, US dollars. Spent is what is known to have been spent. Baseline and saved are of exchanges that have a baseline: baseline − their cost = saved.</p>
<div class="wide"><table><thead><tr>${['Team', 'Exchanges', 'Spent', 'Baseline', 'Saved', 'How sure is spent', 'How sure is saved', 'Models'].map((title) => `<th scope="col">${title}</th>`).join('')}</tr></thead>
<tbody>${teams.map((line) => row(line, 'td')).join('\n')}</tbody><tfoot>${row(total, 'th')}</tfoot></table></div></body></html>
`;
}
