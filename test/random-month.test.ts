import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it, vi } from 'vitest';
import type { Cost } from '../src/catalog/types.ts';
import { runCommand } from '../src/cli/program.ts';
import { savingsReport, type SavingsReport } from '../src/ledger/query.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { openDatabase } from '../src/ledger/sqlite/database.ts';
import { LedgerWriter } from '../src/ledger/sqlite/store.ts';
import { parseCsv } from '../src/lib/csv.ts';
import { Metrics } from '../src/record/metrics.ts';
import { RecentRecords } from '../src/record/recent.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import type { Showback } from '../src/showback/report.ts';
import { adminOf } from './support/admin.ts';
import { generation } from './support/decision.ts';
import { runs } from './support/fuzz.ts';
import { line, sample } from './support/ledger.ts';

const begin = Date.parse('2026-10-01T00:00:00Z');
const monthMs = 31 * 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'random-month-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const policy = generation();

// Whole 16ths of a dollar add up without rounding, and have four digits, as many as are shown.
const amount = fc.integer({ min: 1, max: 160 }).map((parts) => parts / 16);
const known = (usd: number): Cost => ({ known: true, usd });
const money = (cost: Cost, baseline: Cost): Pick<ExchangeRecord, 'cost' | 'baseline' | 'savings'> => ({
  cost,
  baseline,
  savings: !cost.known ? cost : !baseline.known ? baseline : known(baseline.usd - cost.usd),
});
const unknown = fc.constantFrom<Cost>({ known: false, reason: 'usage' }, { known: false, reason: 'price' });
const base = sample(begin);
const attemptOf = (model: string, outcome: 'complete' | 'provider-error', cost: Cost): ExchangeRecord['attempts'][number] => ({
  ...base.attempts[0]!,
  target: { provider: 'openai', model },
  outcome,
  cost,
});

/** Every kind of exchange that a month may have, with random amounts. */
const facts = fc.oneof(
  // Moved or kept: what is saved may be negative.
  fc.tuple(amount, amount).map(([cost, baseline]): Partial<ExchangeRecord> => money(known(cost), known(baseline))),
  fc.tuple(unknown, amount).map(([cost, baseline]): Partial<ExchangeRecord> => ({ usage: null, ...money(cost, known(baseline)) })),
  fc.tuple(amount, unknown).map(([cost, baseline]): Partial<ExchangeRecord> => money(known(cost), baseline)),
  unknown.map((cost): Partial<ExchangeRecord> => ({ usage: null, ...money(cost, cost) })),
  unknown.map((baseline): Partial<ExchangeRecord> => ({
    servedModel: null,
    outcome: 'blocked',
    status: 403,
    attempts: [],
    usage: null,
    ...money(known(0), baseline),
  })),
  amount.map((baseline): Partial<ExchangeRecord> => ({ cache: 'hit', attempts: [], ...money(known(0), known(baseline)) })),
  fc
    .tuple(amount, amount)
    .map(([cost, baseline]): Partial<ExchangeRecord> => ({
      attempts: [attemptOf('gpt-5-nano', 'provider-error', known(0)), attemptOf('gpt-5.1', 'complete', known(cost))],
      servedModel: 'gpt-5.1',
      ...money(known(cost), known(baseline)),
    })),
  amount.map((cost): Partial<ExchangeRecord> => ({
    mode: 'shadow',
    requestedModel: 'gpt-5.1',
    servedModel: 'gpt-5.1',
    ...money(known(cost), known(cost)),
  })),
);
const exchanges = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: monthMs - 1 }),
    fc.constantFrom('red', 'blue', 'a,b', '=1+1'),
    fc.constantFrom('gpt-5.1', 'gpt-5-mini'),
    facts,
  ),
  { minLength: 1, maxLength: 60 },
);

const sum = (records: readonly ExchangeRecord[], of: (record: ExchangeRecord) => Cost): number =>
  records.reduce((total, record) => total + ((cost) => (cost.known ? cost.usd : 0))(of(record)), 0);

interface Totals {
  readonly exchanges: number;
  /** All that is known, with a baseline or without. */
  readonly spent: number;
  readonly baseline: number;
  readonly saved: number;
}

function truth(records: readonly ExchangeRecord[]): Totals {
  const compared = records.filter(({ savings }) => savings.known);
  return {
    exchanges: records.length,
    spent: sum(records, ({ cost }) => cost),
    baseline: sum(compared, ({ baseline }) => baseline),
    saved: sum(compared, ({ savings }) => savings),
  };
}

/** What a command prints. */
async function printed(...args: readonly string[]): Promise<string> {
  let text = '';
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((text += String(chunk)), true));
  const err = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  try {
    await runCommand(args);
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
  return text;
}

const column = (csv: string, ...names: readonly string[]): number[] => {
  const [head, ...rows] = parseCsv(csv);
  return names.map((name) => {
    const at = head!.indexOf(name);
    expect(at, name).toBeGreaterThanOrEqual(0);
    return rows.reduce((total, row) => total + Number(row[at]), 0);
  });
};

const ofReport = ({ exchanges: count, cost, apart, baseline, savings }: SavingsReport['total']): Totals => {
  expect(baseline - cost).toBe(savings);
  return { exchanges: count, spent: cost + apart, baseline, saved: savings };
};

/** The totals of a month from every place that shows them, by its name. */
async function everywhere(records: readonly ExchangeRecord[], file: string): Promise<Record<string, Totals>> {
  const month = ['--month', '2026-10', '--ledger', file];
  const exported = join(folder, 'rows.csv');
  const savingsCsv = column(
    await printed('savings', ...month, '--by', 'workspace', '--csv'),
    'exchanges',
    'cost',
    'apart',
    'baseline',
    'savings',
  );
  const [exchangesOf, spent, baseline, saved] = column(
    await printed('report', ...month, '--csv'),
    'exchanges',
    'spent_usd',
    'baseline_usd',
    'saved_usd',
  );
  const report = (JSON.parse(await printed('report', ...month, '--json')) as Showback).total;
  await printed('ledger', 'export', '--format', 'csv', '--out', exported, ...month);
  const rows = readFileSync(exported, 'utf8');
  const [rowCost, rowSavings] = column(rows, 'cost', 'savings');
  return {
    'savings --json': ofReport(
      (JSON.parse(await printed('savings', ...month, '--by', 'workspace,model', '--json')) as SavingsReport).total,
    ),
    'savings --csv': { exchanges: savingsCsv[0]!, spent: savingsCsv[1]! + savingsCsv[2]!, baseline: savingsCsv[3]!, saved: savingsCsv[4]! },
    'report --csv': { exchanges: exchangesOf!, spent: spent!, baseline: baseline!, saved: saved! },
    'report --json': { exchanges: report.exchanges, spent: report.spent ?? 0, baseline: report.baseline ?? 0, saved: report.saved ?? 0 },
    'report --html': ofHtml(await printed('report', ...month, '--html')),
    'ledger export': { exchanges: parseCsv(rows).length - 1, spent: rowCost!, baseline: truth(records).baseline, saved: rowSavings! },
    ...(await served(records, file)),
  };
}

/** The foot of the report's table. */
function ofHtml(html: string): Totals {
  const foot = /<tfoot>(.*)<\/tfoot>/s.exec(html)![1]!;
  const cells = [...foot.matchAll(/<th[^>]*>([^<]*)<\/th>/g)].map(([, text]) => Number(text!.replace(/[$,]/g, '')));
  const [, count, spent, baseline, saved] = cells;
  const shown = (usd: number | undefined): number => (usd === undefined || Number.isNaN(usd) ? 0 : usd);
  return { exchanges: count!, spent: shown(spent), baseline: shown(baseline), saved: shown(saved) };
}

/** The same from the admin server, over the ledger and since the start, and from the metrics. */
async function served(records: readonly ExchangeRecord[], file: string): Promise<Record<string, Totals>> {
  const metrics = new Metrics({ version: '1', policy: () => policy, refused: () => false });
  const recent = new RecentRecords();
  for (const record of records) {
    metrics.record(record);
    recent.record(record);
  }
  const db = openDatabase(file, 'readonly');
  const ledger = {
    savings: (query: Parameters<typeof savingsReport>[1]) => Promise.resolve(savingsReport(db, query)),
  } as unknown as Ledger;
  const admin = adminOf(() => policy, { registry: metrics.registry, recent, ledger });
  const url = `http://${await admin.listen('127.0.0.1', 0)}`;
  const get = async (path: string): Promise<string> => (await fetch(`${url}${path}`)).text();
  try {
    const month = JSON.parse(await get('/savings?month=2026-10&by=user')) as SavingsReport;
    const live = JSON.parse(await get('/savings')) as Record<'cost' | 'apart' | 'baseline' | 'savings', { readonly usd: number }> & {
      readonly exchanges: number;
    };
    const text = await get('/metrics');
    const total = (name: string): number =>
      [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} ([\\d.e+-]+)$`, 'gm'))].reduce((usd, [, value]) => usd + Number(value), 0);
    return {
      'GET /savings of the month': ofReport(month.total),
      'GET /savings': {
        exchanges: live.exchanges,
        spent: live.cost.usd + live.apart.usd,
        baseline: live.baseline.usd,
        saved: live.savings.usd,
      },
      metrics: {
        exchanges: total('llm_proxy_request_total'),
        spent: total('llm_proxy_cost_total'),
        baseline: total('llm_proxy_baseline_cost_total'),
        saved: total('llm_proxy_savings_total') - total('llm_proxy_extra_cost_total'),
      },
    };
  } finally {
    await admin.close();
    db.close();
  }
}

it('a random month has the same totals wherever they are shown, and baseline - cost is what was saved', async () => {
  let at = 0;
  await fc.assert(
    fc.asyncProperty(exchanges, async (made) => {
      const records = made.map(([time, workspace, requestedModel, more]) =>
        sample(begin + time, { workspace, requestedModel, servedModel: 'gpt-5-nano', user: null, ...more }),
      );
      const file = join(folder, `${at++}.db`);
      const db = openDatabase(file, 'write');
      const writer = new LedgerWriter(db, { version: 'test' });
      // Of the months beside it nothing is counted.
      const beside = [begin - 1, begin + monthMs].map((time) => sample(time, money(known(1_000), known(5_000))));
      writer.append([...records, ...beside].map(line));
      writer.close();
      db.close();
      const wanted = truth(records);
      const rounded = (totals: Totals): Totals => ({
        exchanges: totals.exchanges,
        spent: Math.round(totals.spent * 1e4) / 1e4,
        baseline: Math.round(totals.baseline * 1e4) / 1e4,
        saved: Math.round(totals.saved * 1e4) / 1e4,
      });
      const found = await everywhere(records, file);
      expect(Object.keys(found)).toHaveLength(9);
      for (const [place, totals] of Object.entries(found)) expect({ place, ...rounded(totals) }).toEqual({ place, ...rounded(wanted) });
    }),
    runs(12),
  );
});
