import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { SluiceError } from '../lib/errors.ts';
import { parseCsv } from '../lib/csv.ts';
import type { SavingsLine, SavingsReport } from '../ledger/query.ts';
import { readBill as read, type Bill, type BillOptions } from './bill.ts';
import { ModelFinder, modelName } from './model-names.ts';
import { agrees, reasonFor, reconcile, total } from './reconcile.ts';
import { showback, showbackHtml, sureness } from './report.ts';

const readBill = (text: string | Buffer, file: string, options: Partial<BillOptions> = {}): Bill =>
  read(Buffer.from(text as string), file, { zone: 'UTC', usdPer: null, ...options });
const refusal = (text: string): string => {
  try {
    readBill(text, 'b');
  } catch (error) {
    return error instanceof SluiceError ? `${error.message} ${error.fix}` : String(error);
  }
  return 'not refused';
};
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
  rest: null,
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

  it('names a snapshot, a name of a cloud and a display name as requests do', () => {
    expect(
      ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'amazon.nova-pro-v1:0', 'claude-haiku-4-5@20251001', 'gpt-4o-2024-08-06'].map(
        modelName,
      ),
    ).toEqual(['claude-sonnet-4-5', 'nova-pro', 'claude-haiku-4-5', 'gpt-4o']);
  });

  const known = [
    'gpt-4o',
    'gpt-4o-mini',
    'gpt-4.1',
    'gpt-5-mini',
    'claude-sonnet-4',
    'claude-sonnet-4-5',
    'gemini-2.5-flash',
    'gemini-2.5-flash-image',
    'gemini-2.5-flash-lite',
    'nova-pro',
  ];
  it.each([
    ['gpt 4o 0513 Input global Tokens', 'gpt-4o'],
    ['gpt-4o-mini-0718-Inp-glbl Tokens', 'gpt-4o-mini'],
    ['gpt 4.1 Outp glbl Tokens', 'gpt-4.1'],
    ['gpt 4 1106 Inp Tokens', null],
    ['gpt 4o realtime prvw Input glbl', null],
    ['gpt 5 mini inp glbl 1M Tokens', 'gpt-5-mini'],
    ['gpt 5 nano inp glbl', null],
    ['Gemini 2.5 Flash GA Text Input - Predictions', 'gemini-2.5-flash'],
    ['Gemini 2.5 Flash Audio Input', 'gemini-2.5-flash'],
    ['Gemini 2.5 Flash Image Input', null],
    ['Gemini 2.5 Flash Lite Text Output - Predictions', 'gemini-2.5-flash-lite'],
    ['Gemini 2.5 Flash Native Audio Output', null],
    ['USE1-Claude4.5Sonnet-input-tokens', 'claude-sonnet-4-5'],
    ['Claude Sonnet 4.6 (Amazon Bedrock Edition)', null],
    ['Claude Sonnet 4 (Amazon Bedrock Edition)', 'claude-sonnet-4'],
    ['USE1-NovaPro-input-tokens', null],
    ['Nova Pro · USE1-NovaPro-input-tokens', 'nova-pro'],
    ['Tax', null],
  ])('finds the model in a line of a cloud: %s', (words, model) => {
    expect(new ModelFinder(known).find(words)).toBe(model);
  });

  const openaiPage = (results: readonly object[], more: object = {}): string =>
    JSON.stringify({
      object: 'page',
      data: [{ object: 'bucket', start_time: 1759363200, end_time: 1759366800, results }],
      has_more: false,
      next_page: null,
      ...more,
    });
  const usageResult = {
    object: 'organization.usage.completions.result',
    input_tokens: 700,
    input_cached_tokens: 100,
    input_audio_tokens: 50,
    output_tokens: 300,
    num_model_requests: 4,
    model: 'gpt-5-mini-2025-08-07',
    project_id: null,
    batch: null,
  };
  const costResult = {
    object: 'organization.costs.result',
    amount: { value: 0.7, currency: 'usd' },
    line_item: 'gpt-5-mini-2025-08-07, input',
    project_id: null,
  };
  const anthropicPage = (results: readonly object[]): string =>
    JSON.stringify({
      data: [{ starting_at: '2026-10-02T00:00:00Z', ending_at: '2026-10-03T00:00:00Z', results }],
      has_more: false,
      next_page: null,
    });
  const anthropicResult = {
    uncached_input_tokens: 600,
    cache_creation: { ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: 100 },
    cache_read_input_tokens: 200,
    output_tokens: 300,
    server_tool_use: { web_search_requests: 1 },
    model: 'claude-haiku-4-5-20251001',
    service_tier: 'standard',
  };
  const anthropicCostResult = {
    amount: '123.45',
    currency: 'USD',
    cost_type: 'tokens',
    model: 'claude-haiku-4-5-20251001',
    description: 'Claude Haiku 4.5 Usage - Input Tokens',
  };
  const cur = `identity/LineItemId,lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UnblendedCost,lineItem/CurrencyCode,product/ProductName
a,2026-10-02T10:00:00Z,2026-10-02T11:00:00Z,AmazonBedrock,USE1-Claude4.5Sonnet-input-tokens,0.30,USD,Amazon Bedrock
b,2026-10-02T11:00:00Z,2026-10-02T12:00:00Z,AmazonBedrock,USE1-Claude4.5Sonnet-output-tokens,0.70,USD,Amazon Bedrock
c,2026-10-02T11:00:00Z,2026-10-02T12:00:00Z,AmazonBedrock,USE1-Guardrail-TextUnits,0.05,USD,Amazon Bedrock
d,2026-10-02T11:00:00Z,2026-10-02T12:00:00Z,AmazonEC2,USE1-BoxUsage,99,USD,Amazon Elastic Compute Cloud
`;
  const gcp = JSON.stringify([
    {
      service: { id: 'C', description: 'Vertex AI' },
      sku: { description: 'Gemini 2.5 Flash GA Text Input - Predictions' },
      usage_start_time: '2026-10-02 07:00:00 UTC',
      usage_end_time: '2026-10-02 08:00:00 UTC',
      cost: 1.5,
      currency: 'USD',
      credits: [{ name: 'c', amount: -0.5 }],
    },
    {
      service: { description: 'Compute Engine' },
      sku: { description: 'N2 core' },
      usage_start_time: '2026-10-02 07:00:00 UTC',
      cost: 9,
      currency: 'USD',
      credits: [],
    },
  ]);
  const azure = (
    date: string,
    currency = 'USD',
    cost = '0.7',
  ): string => `Date,MeterCategory,MeterSubCategory,MeterName,Quantity,CostInBillingCurrency,BillingCurrency
${date},Cognitive Services,Azure OpenAI,gpt-4o-mini-0718-Inp-glbl Tokens,10,${cost},${currency}
${date},Storage,Blob,LRS,1,5,${currency}
`;
  it.each([
    [
      'openai',
      'usage',
      openaiPage([usageResult]),
      'gpt-5-mini',
      { requests: 4, input: 700, output: 300, usd: null },
      ['2025-10-02T00:00', 1],
    ],
    ['openai', 'cost', openaiPage([costResult]), 'gpt-5-mini', { usd: 0.7 }, ['2025-10-02T00:00', 1]],
    [
      'anthropic',
      'usage',
      anthropicPage([anthropicResult]),
      'claude-haiku-4-5',
      { requests: null, input: 900, output: 300 },
      ['2026-10-02T00:00', 24],
    ],
    ['anthropic', 'cost', anthropicPage([anthropicCostResult]), 'claude-haiku-4-5', { usd: 1.2345 }, ['2026-10-02T00:00', 24]],
    ['bedrock', 'cost', cur, 'USE1-Claude4.5Sonnet-input-tokens · Amazon Bedrock', { usd: 0.3 }, ['2026-10-02T10:00', 2]],
    ['google', 'cost', gcp, 'Gemini 2.5 Flash GA Text Input - Predictions', { usd: 1 }, ['2026-10-02T07:00', 1]],
    ['azure', 'cost', azure('10/02/2026'), 'gpt-4o-mini-0718-Inp-glbl Tokens', { usd: 0.7 }, ['2026-10-02T00:00', 24]],
  ] as const)('is read as its API or its cloud writes it: %s, %s', (provider, what, text, model, figures, [from, hours]) => {
    const bill = readBill(text, 'bill');
    expect([bill.provider, bill.what, new Date(bill.from).toISOString().slice(0, 16), (bill.to - bill.from) / 3_600_000]).toEqual([
      provider,
      what,
      from,
      hours,
    ]);
    expect(bill.lines[0]).toMatchObject({ model, ...figures });
    const packed = readBill(gzipSync(text), 'bill');
    expect(packed).toEqual(bill);
  });

  it('says what of a cloud is not about models, and what names no model, and counts neither as zero', () => {
    const bill = readBill(cur, 'cur.csv');
    expect(bill.others).toEqual({ rows: 1, services: ['AmazonEC2'] });
    const rows = reconcile(bill, [line(['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'bedrock'])], known);
    expect(rows.map((one) => [one.model, reasonFor(one, 0.01)])).toEqual([
      ['claude-sonnet-4-5', 'agrees'],
      ['USE1-Guardrail-TextUnits · Amazon Bedrock', 'names no model that is known: compare it by hand'],
    ]);
    expect(total(bill, rows)).toMatchObject({ bill: { usd: expect.closeTo(1.05, 9) as number }, ledger: { usd: 1 } });
    expect(rows.every((one) => agrees(one, 0.01))).toBe(false);
  });

  it('takes dates by the zone that is said, and pages one after the other', () => {
    const at = (text: string, zone: string): string => new Date(readBill(text, 'b', { zone }).from).toISOString().slice(0, 16);
    expect(at(azure('2026-10-02'), 'Europe/Berlin')).toBe('2026-10-01T22:00');
    expect(at(azure('2026-10-02'), 'America/Los_Angeles')).toBe('2026-10-02T07:00');
    expect(at(azure('2026-10-02T00:00:00-07:00'), 'UTC')).toBe('2026-10-02T07:00');
    expect(() => readBill(azure('2026-10-02'), 'b', { zone: 'Mars/Base' })).toThrow(/no time zone/);
    const two = `${openaiPage([usageResult], { has_more: true })}\n${openaiPage([usageResult])}\n`;
    expect(readBill(two, 'b').lines[0]).toMatchObject({ requests: 8, input: 1_400 });
    expect(readBill(`[${two.trim().replace('\n', ',')}]`, 'b').lines[0]).toMatchObject({ requests: 8 });
  });

  it('takes another currency only with its worth, and a cent for rounding', () => {
    expect(refusal(azure('2026-10-02', 'EUR'))).toMatch(/in EUR.*--usd-per/);
    expect(readBill(azure('2026-10-02', 'EUR'), 'b', { usdPer: 2 }).lines[0]).toMatchObject({ usd: 1.4 });
    expect(() => readBill(azure('2026-10-02').replace(/USD$/m, 'EUR'), 'b')).not.toThrow(/several/);
    expect(() => readBill(`${azure('2026-10-02')}2026-10-02,Cognitive Services,Azure OpenAI,x,1,1,EUR\n`, 'b')).toThrow(
      /several currencies: USD, EUR/,
    );
    expect(() => readBill(azure('2026-10-02').replace('CostInBillingCurrency', 'Cost (€)').replace(',BillingCurrency', ',x'), 'b')).toThrow(
      /in €/,
    );
    const [cent] = reconcile(readBill(anthropicPage([{ ...anthropicCostResult, amount: '0' }]), 'b'), [
      line(['claude-haiku-4-5', 'anthropic'], { cost: 0.004 }),
    ]);
    expect(agrees(cent!, 0)).toBe(true);
    // 1.11 - 1.1 is more than 0.01 for a computer.
    for (const [amount, cost, same] of [
      ['111', 1.1, true],
      ['112', 1.1, false],
    ] as const) {
      const [one] = reconcile(readBill(anthropicPage([{ ...anthropicCostResult, amount }]), 'b'), [
        line(['claude-haiku-4-5', 'anthropic'], { cost }),
      ]);
      expect(agrees(one!, 0)).toBe(same);
    }
  });

  it.each([
    ['a number with a comma', azure('2026-10-02', 'USD', '"0,70"'), /no number: "0,70"/],
    ['a word for a number', azure('2026-10-02', 'USD', 'n/a'), /no number: "n\/a"/],
    ['pages that go on', openaiPage([usageResult], { has_more: true }), /has_more/],
    ['usage that is not by model', openaiPage([{ ...usageResult, model: null }]), /not by model.*group_by=model/],
    ['costs that are not by line', openaiPage([{ ...costResult, line_item: null }]), /not by model.*group_by=line_item/],
    [
      'costs that are not by description',
      anthropicPage([{ ...anthropicCostResult, model: null, description: null }]),
      /group_by\[\]=description/,
    ],
    [
      'no model at all',
      azure('2026-10-02').replace('Cognitive Services,Azure OpenAI', 'Storage,Blob'),
      /no row is about a model; services: Storage/,
    ],
    ['Parquet', 'PAR1....', /Parquet/],
    ['JSON that breaks off', '{"data": [', /no JSON/],
    ['an empty object', '{}', /no export that is known/],
  ])('refuses %s, and says what to do', (_what, text, message) => {
    expect(() => readBill(text, 'b')).toThrow(expect.objectContaining({ code: 'SLUICE_BILL' }) as Error);
    expect(refusal(text)).toMatch(message);
  });

  it('has no figure where a row has none: it is not zero, and does not agree', () => {
    const rows = reconcile(readBill(`${openaiCost}1759363200,1759449600,,usd,"gpt-5-mini-2025-08-07, cached input"\n`, 'b'), [
      line(['gpt-5-mini', 'openai'], { cost: 0 }),
    ]);
    expect(rows.map((one) => [one.bill?.usd, agrees(one, 0.01), reasonFor(one, 0.01)])).toEqual([
      [null, false, 'the bill has no figure for it'],
    ]);
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
