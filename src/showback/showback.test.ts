import { describe, expect, it } from 'vitest';
import { parseCsv } from '../lib/csv.ts';
import type { SavingsLine, SavingsReport } from '../ledger/query.ts';
import { modelName, readBill } from './bill.ts';
import { agrees, reasonFor, reconcile } from './reconcile.ts';
import { showback, showbackHtml, sureness } from './report.ts';

const line = (group: readonly string[], facts: Partial<SavingsLine> = {}): SavingsLine => ({
  group,
  exchanges: 10,
  retried: 0,
  cost: 1,
  apart: 0,
  costUnknown: 0,
  baseline: 3,
  savings: 2,
  savingsUnknown: 0,
  input: 1_000,
  output: 500,
  usageUnknown: 0,
  ...facts,
});
const report = (lines: readonly SavingsLine[], total = line([])): SavingsReport => ({
  from: '2026-10-01T00:00:00.000Z',
  to: '2026-11-01T00:00:00.000Z',
  by: ['workspace'],
  where: [],
  basis: 'sums',
  currency: 'USD',
  total,
  unknownShare: 0,
  lines,
  trend: [],
});

const anthropicUsage = `usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo,speed
2026-10-02,claude-haiku-4-5-20251001,k,Default,standard,≤ 200k,600,100,0,200,300,0,global,
2026-10-03,claude-haiku-4-5-20251001,k,Default,standard,≤ 200k,100,0,0,0,200,0,global,
`;
const anthropicCost = `usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,inference_geo,speed
2026-10-02,Claude Haiku 4.5,Default,k,message,≤ 200k,input_no_cache,0.60,0.60,token,global,
2026-10-02,Claude Haiku 4.5,Default,k,message,≤ 200k,output,0.40,0.40,token,global,
`;
const openaiUsage =
  '\uFEFFstart_time,end_time,start_time_iso,end_time_iso,num_model_requests,project_id,model,input_tokens,output_tokens,input_cached_tokens\r\n1759363200,1759449600,2025-10-02T00:00:00+00:00,2025-10-03T00:00:00+00:00,4.0,p,gpt-5-mini-2025-08-07,700,300,0\r\n1759363200,1759449600,2025-10-02T00:00:00+00:00,2025-10-03T00:00:00+00:00,6.0,q,gpt-5-mini-2025-08-07,300,200,0\r\n';
const openaiCost =
  'start_time,end_time,amount_value,amount_currency,line_item\n1759363200,1759449600,0.7,usd,"gpt-5-mini-2025-08-07, input"\n1759363200,1759449600,0.4,usd,"gpt-5-mini-2025-08-07, output"\n';

describe('the bill of a provider', () => {
  it.each([
    [
      'anthropic',
      'usage',
      anthropicUsage,
      { model: 'claude-haiku-4-5', requests: null, input: 1_000, output: 500, usd: null },
      '2026-10-02',
      2,
    ],
    ['anthropic', 'cost', anthropicCost, { model: 'claude-haiku-4-5', requests: null, input: null, output: null, usd: 1 }, '2026-10-02', 1],
    ['openai', 'usage', openaiUsage, { model: 'gpt-5-mini', requests: 10, input: 1_000, output: 500, usd: null }, '2025-10-02', 1],
    ['openai', 'cost', openaiCost, { model: 'gpt-5-mini', requests: null, input: null, output: null, usd: 1.1 }, '2025-10-02', 1],
  ] as const)('is read: %s, %s', (provider, what, text, expected, from, days) => {
    const bill = readBill(text, 'bill.csv');
    expect(bill).toMatchObject({
      provider,
      what,
      lines: [{ ...expected, usd: expected.usd === null ? null : (expect.closeTo(expected.usd, 9) as number) }],
    });
    expect([new Date(bill.from).toISOString().slice(0, 10), (bill.to - bill.from) / 86_400_000]).toEqual([from, days]);
  });

  it('is refused when it is none', () => {
    for (const wrong of ['a,b\n1,2\n', '', 'usage_date_utc,model,cost_usd\n', 'usage_date_utc,model,cost_usd\nsoon,x,1\n'])
      expect(() => readBill(wrong, 'b.csv')).toThrow(expect.objectContaining({ code: 'SLUICE_BILL' }) as Error);
  });

  it('is held against the ledger, and what differs has a reason', () => {
    const same = reconcile(readBill(openaiUsage, 'b'), [line(['gpt-5-mini', 'openai'])]);
    expect(same.map((one) => [one.off, agrees(one, 0.01), reasonFor(one, 0.01)])).toEqual([[0, true, 'agrees']]);
    const [dearer] = reconcile(readBill(openaiCost, 'b'), [line(['gpt-5-mini', 'openai'])]);
    expect([agrees(dearer!, 0.01), agrees(dearer!, 0.2), reasonFor(dearer!, 0.01)]).toEqual([
      false,
      true,
      expect.stringMatching(/^more billed: calls past Sluice/),
    ]);
    const [unknown] = reconcile(readBill(openaiCost, 'b'), [line(['gpt-5-mini', 'openai'], { costUnknown: 3 })]);
    expect(reasonFor(unknown!, 0.01)).toMatch(/3 exchanges in the ledger of unknown cost/);
    const missing = reconcile(readBill(openaiUsage, 'b'), [line(['gpt-5.1', 'openai'])]);
    expect(missing.map((one) => [one.model, reasonFor(one, 0.01)])).toEqual(
      expect.arrayContaining([
        ['gpt-5-mini', expect.stringMatching(/^not in the ledger/)],
        ['gpt-5.1', expect.stringMatching(/^not in the bill/)],
      ]),
    );
  });

  it('names models as requests do', () => {
    expect(['gpt-5-mini-2025-08-07', 'Claude Opus 4.6', 'claude-haiku-4-5-20251001', 'gpt-4o'].map(modelName)).toEqual([
      'gpt-5-mini',
      'claude-opus-4-6',
      'claude-haiku-4-5',
      'gpt-4o',
    ]);
  });
});

describe('a report by team', () => {
  const byTeam = report(
    [
      line(['search'], { exchanges: 8, cost: 1, apart: 0.5, costUnknown: 1 }),
      line(['<b>mark</b>'], { exchanges: 2, cost: 4, baseline: 5, savings: 1 }),
    ],
    line([], { cost: 5, apart: 0.5 }),
  );
  const made = showback(
    byTeam,
    report([line(['search', 'small'], { cost: 1 }), line(['search', 'large'], { cost: 3 }), line(['<b>mark</b>', 'none'])]),
    Date.parse(byTeam.to),
  );

  it('has who spent most first, with models and how sure it is', () => {
    expect(made.teams.map(({ team, spent, costKnown, models }) => [team, spent, costKnown, models.map(({ model }) => model)])).toEqual([
      ['<b>mark</b>', 4, 1, []],
      ['search', 1.5, 0.875, ['large', 'small']],
    ]);
    expect([sureness(1), sureness(0.875), sureness(0.99999), sureness(null)]).toEqual([
      'all known',
      'at least: 87.5% known',
      'at least: 99.9% known',
      'nothing to know',
    ]);
  });

  it('says so while its period is not over', () => {
    const early = showback(byTeam, report([]), Date.parse(byTeam.to) - 1);
    expect([made.open, early.open]).toEqual([false, true]);
    expect(showbackHtml(early, String)).toContain('UTC, which is not over,');
    expect(showbackHtml(made, String)).not.toContain('not over');
  });

  it('is a page in which names are text', () => {
    const page = showbackHtml(made, (usd) => `$${usd}`);
    expect(page).toContain('&lt;b&gt;mark&lt;/b&gt;');
    expect(page).not.toMatch(/<b>|<script|https?:/);
  });
});

it('CSV is read with quotes, commas and line breaks in values', () => {
  expect(parseCsv('a,"b ""c"", d","e\nf"\r\n\r\n1,,3')).toEqual([
    ['a', 'b "c", d', 'e\nf'],
    ['1', '', '3'],
  ]);
});
