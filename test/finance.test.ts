import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Admin } from '../src/admin/listen.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import type { SavingsReport } from '../src/ledger/query.ts';
import { parseCsv } from '../src/lib/csv.ts';
import { Metrics } from '../src/record/metrics.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import type { Showback } from '../src/showback/report.ts';
import { generation } from './support/decision.ts';
import { october, octoberBill } from './support/october.ts';
import { adminOf } from './support/admin.ts';
import { entry } from './support/entry.ts';
import { lastingLedger } from './support/ledger.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'finance-'));
const file = join(folder, 'ledger.db');
const bill = join(folder, 'completions_usage_2026-10.csv');
const november = new URL('support/november.ts', import.meta.url).href;
const all = october();
const month = all.filter(({ time }) => time.startsWith('2026-10'));
const year = 400 * 86_400_000 * 100;
let ledger: Ledger;
let admin: Admin;
let adminUrl: string;
const policy = generation();
const metrics = new Metrics({ version: '1', policy: () => policy, refused: () => false });

beforeAll(async () => {
  ledger = await lastingLedger(file, { retention: { rowsMs: year, rollupsMs: year } });
  for (const record of all) ledger.record(record);
  for (const record of month) metrics.record(record);
  await vi.waitFor(() => expect(ledger.counts.written).toBe(all.length), { timeout: 10_000, interval: 20 });
  admin = adminOf(() => policy, { registry: metrics.registry, ledger });
  adminUrl = `http://${await admin.listen('127.0.0.1', 0)}`;
  writeFileSync(bill, octoberBill(all));
});
afterAll(async () => {
  await admin.close();
  await ledger.close();
  rmSync(folder, { recursive: true });
});

/** What a command prints in the month after, whatever its exit code and today's date. */
async function sluice(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['--import', november, entry, ...args], {
    env: { ...process.env, SLUICE_LEDGER: file },
    cwd: folder,
    maxBuffer: 64 << 20,
  }).catch((error: unknown) => error as { stdout: string });
  return stdout;
}

/** Whole billionths of a dollar, so that sums are exact. */
const nano = (usd: number): number => Math.round(usd * 1e9);
const sum = (records: readonly ExchangeRecord[], of: (record: ExchangeRecord) => ExchangeRecord['cost']): number =>
  records.reduce((total, record) => {
    const cost = of(record);
    return total + (cost.known ? nano(cost.usd) : 0);
  }, 0) / 1e9;
const compared = (records: readonly ExchangeRecord[]): readonly ExchangeRecord[] => records.filter(({ savings }) => savings.known);

/** The month’s figures by another way than any of the product’s: from the records themselves. */
function truth(records: readonly ExchangeRecord[]) {
  const cost = sum(compared(records), ({ cost: known }) => known);
  return {
    exchanges: records.length,
    cost,
    apart: (nano(sum(records, ({ cost: known }) => known)) - nano(cost)) / 1e9,
    baseline: sum(compared(records), ({ baseline }) => baseline),
    savings: sum(records, ({ savings }) => savings),
    costUnknown: records.filter(({ cost: known }) => !known.known).length,
    savingsUnknown: records.length - compared(records).length,
  };
}

const cents = (line: object): Record<string, number> =>
  Object.fromEntries(
    ['exchanges', 'cost', 'apart', 'baseline', 'savings', 'costUnknown', 'savingsUnknown'].map((key) => [
      key,
      Math.round((line as Record<string, number>)[key]! * 1e6) / 1e6,
    ]),
  );
const of = (workspace: string): ExchangeRecord[] => month.filter((record) => record.workspace === workspace);
const teams = [...new Set(month.map(({ workspace }) => workspace))];

describe('a month in the ledger', () => {
  it('has what finance asks about', () => {
    const { apart, costUnknown, savingsUnknown } = truth(month);
    expect([apart > 0, costUnknown > 0, savingsUnknown > costUnknown]).toEqual([true, true, true]);
    expect(truth(of('research')).savings).toBeLessThan(0);
  });

  it('is the same in the command, its CSV, its JSON, the API, and by records and sums', async () => {
    const [byTeam, rows, csv, served] = await Promise.all([
      sluice('savings', '--month', '2026-10', '--by', 'workspace', '--json').then((text) => JSON.parse(text) as SavingsReport),
      sluice('savings', '--month', '2026-10', '--by', 'workspace', '--where', 'cost>=0', '--json').then(
        (text) => JSON.parse(text) as SavingsReport,
      ),
      sluice('savings', '--month', '2026-10', '--by', 'workspace', '--csv'),
      fetch(`${adminUrl}/savings?month=2026-10&by=workspace`).then((response) => response.json() as Promise<SavingsReport>),
    ]);
    const table = await fetch(`${adminUrl}/savings?month=2026-10&by=workspace&format=csv`);
    expect([table.headers.get('content-type'), await table.text()]).toEqual(['text/csv; charset=utf-8', csv]);
    // No amount has the remainder of a binary fraction.
    for (const text of [csv, JSON.stringify(served, ['total', 'lines', 'trend', 'cost', 'baseline', 'savings', 'apart'])])
      expect(text).not.toMatch(/\.\d{11}/);
    for (const report of [byTeam, served]) {
      expect(cents(report.total)).toEqual(cents(truth(month)));
      expect(report.total.baseline - report.total.cost).toBeCloseTo(report.total.savings, 9);
      for (const line of [...report.lines, ...report.trend]) expect(line.baseline - line.cost).toBeCloseTo(line.savings, 9);
      expect(Object.fromEntries(report.lines.map((line) => [line.group[0], cents(line)]))).toEqual(
        Object.fromEntries(teams.map((team) => [team, cents(truth(of(team)))])),
      );
    }
    expect(cents(rows.total)).toEqual(cents(truth(month.filter(({ cost }) => cost.known))));
    const [head, ...lines] = parseCsv(csv);
    for (const line of lines) {
      const found = Object.fromEntries(head!.map((name, at) => [name, name === 'workspace' ? line[at] : Number(line[at])]));
      expect(cents(found)).toEqual(cents(truth(of(String(found['workspace'])))));
    }
    expect(lines).toHaveLength(teams.length);
  });

  it('is the same in the report of teams, and in every exported row together', async () => {
    const [json, csv, html, , decisions] = await Promise.all([
      sluice('report', '--month', '2026-10', '--json').then((text) => JSON.parse(text) as Showback),
      sluice('report', '--month', '2026-10', '--csv'),
      sluice('report', '--month', '2026-10', '--html'),
      sluice('ledger', 'export', '--format', 'csv', '--out', join(folder, 'rows.csv'), '--month', '2026-10'),
      sluice('decisions', '--month', '2026-10', '--csv', '--limit', '1000'),
    ]);
    const { cost, apart, baseline, savings } = truth(month);
    expect(json.total.spent).toBeCloseTo(cost + apart, 6);
    expect(json.total.baseline).toBeCloseTo(baseline, 6);
    expect(json.total.saved).toBeCloseTo(savings, 6);
    expect(json.teams.reduce((total, { spent }) => total + (spent ?? 0), 0)).toBeCloseTo(json.total.spent ?? NaN, 6);
    expect(
      parseCsv(csv)
        .slice(1)
        .map(([team, , spent]) => [team, Number(spent).toFixed(6)]),
    ).toEqual(json.teams.map(({ team, spent }) => [team, spent?.toFixed(6)]));
    expect(html).toContain(`$${(cost + apart).toFixed(4)}`);
    expect(html).toContain('-$');
    // What is unknown is not zero.
    expect(html).toContain('in-house ?');
    expect(json.teams.find(({ team }) => team === 'labs')).toMatchObject({ baseline: null, saved: null });
    for (const text of [readFileSync(join(folder, 'rows.csv'), 'utf8'), decisions]) {
      const [head, ...rows] = parseCsv(text);
      expect(rows).toHaveLength(month.length);
      const column = (name: string): number => rows.reduce((total, row) => total + nano(Number(row[head!.indexOf(name)])), 0) / 1e9;
      expect([column('cost'), column('savings')].map((usd) => usd.toFixed(6))).toEqual([(cost + apart).toFixed(6), savings.toFixed(6)]);
    }
  });

  it('is that of whole hours, whether sums or records answer, and says so', async () => {
    const span = ['--from', '2026-10-01T00:30Z', '--to', '2026-10-01T02:30Z', '--by', 'workspace'];
    const [bySums, byRows] = await Promise.all([sluice('savings', ...span), sluice('savings', ...span, '--where', 'overhead>=0')]);
    const hours = all.filter(({ time }) => /^2026-10-01T0[012]/.test(time));
    for (const text of [bySums, byRows]) {
      expect(text).toContain(': 2026-10-01 00:00 to 2026-10-01 03:00 UTC)');
      expect(text).toContain(`of ${hours.length} exchanges`);
    }
    const conditions = await fetch(`${adminUrl}/decisions?workspace=search&from=2026-01-01&to=2027-01-01&limit=2000`);
    const { decisions } = (await conditions.json()) as { readonly decisions: readonly ExchangeRecord[] };
    expect(decisions.length).toBe(all.filter(({ workspace }) => workspace === 'search').length);
  });

  it('is verified, and what was not looked for is said', async () => {
    expect(await sluice('ledger', 'verify')).toMatch(
      /everything holds\.\nNot checked: who wrote it \(--public-key\), whether newer rows were cut off \(--log\)\.\n$/,
    );
    expect(await sluice('decisions', '--where', 'model=nobody')).toBe('no decisions were found\n');
  });

  it('is the same in the metrics', async () => {
    const text = await metrics.registry.metrics();
    const total = (name: string): number =>
      [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} ([\\d.e+-]+)$`, 'gm'))].reduce((usd, [, value]) => usd + Number(value), 0);
    const { cost, apart, baseline, savings } = truth(month);
    expect(total('llm_proxy_cost_total')).toBeCloseTo(cost + apart, 6);
    expect(total('llm_proxy_baseline_cost_total')).toBeCloseTo(baseline, 6);
    expect(total('llm_proxy_savings_total') - total('llm_proxy_extra_cost_total')).toBeCloseTo(savings, 6);
    expect(total('llm_proxy_extra_cost_total')).toBeGreaterThan(0);
  });
});

it('docs/showback.md shows what the commands print of this month', async () => {
  // SLUICE_DOCS=write writes what they print now.
  const showbackPage = new URL('../docs/showback.md', import.meta.url);
  const page = readFileSync(showbackPage, 'utf8');
  const shown = [...page.matchAll(/```\n\$ bin\/sluice (.+)\n([\s\S]*?)```/g)];
  expect(shown.length).toBeGreaterThanOrEqual(4);
  const printed = await Promise.all(shown.map(async ([, args]) => [args!, (await sluice(...args!.split(' '))).trimEnd()] as const));
  if (process.env['SLUICE_DOCS'] === 'write')
    writeFileSync(
      showbackPage,
      printed.reduce(
        (text, [args, output]) =>
          text.replace(
            new RegExp(`(\\$ bin/sluice ${args.replaceAll('.', '\\.')}\n)[\\s\\S]*?\`\`\``),
            (_all, line: string) => `${line}${output}\n\`\`\``,
          ),
        page,
      ),
    );
  else expect(shown.map(([, args, output]) => [args, output!.trimEnd()])).toEqual(printed);
});
