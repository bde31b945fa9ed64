import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { exchange, input, model, record, usage, verdict } from '../../test/support/decision.ts';
import { sample } from '../../test/support/ledger.ts';
import { compiled } from '../../test/support/policy.ts';
import { ModelCatalog } from '../catalog/catalog.ts';
import { sluice, type CommandResult } from '../cli/testing/run.ts';
import type { ParsedRequest } from '../apis/types.ts';
import { openDatabase } from '../ledger/sqlite/database.ts';
import { LedgerWriter } from '../ledger/sqlite/store.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { decide } from '../route/decide.ts';
import { IntervalSum } from './interval.ts';
import { rebuild } from './exchange.ts';
import { Replay } from './replay.ts';
import { recordsOf } from './sources.ts';
import { replayText } from './text.ts';

const policyOf = (text: string): PolicySnapshot => compiled(`version: 1\ndefaults: {${text}}\n`);
const tiers = 'candidates: {simple: [gpt-small], standard: [gpt-middle], complex: [gpt-large]}';
const old = policyOf(tiers);

/** The record of a request as the old policy decides it, with 1,000 tokens in and 500 out. */
function recorded(asks: Partial<ParsedRequest> = {}, says: Parameters<typeof verdict>[0] = {}, generation = old): ExchangeRecord {
  const base = input({ generation, provider: generation.providers.get('openai')! });
  const decided = {
    ...base,
    exchange: exchange({ model: 'gpt-large', ...asks }),
    verdict: verdict({ score: 0.1, ...says }),
    section: generation.section('red', 'openai'),
  };
  return record(decided, {}, { decision: decide(decided) });
}

function replay(records: readonly ExchangeRecord[], policy: PolicySnapshot, against: PolicySnapshot | null = null) {
  const run = new Replay(policy, against);
  for (const each of records) run.add(each);
  return run.report();
}

describe('a replay', () => {
  it('of the same policy changes nothing, whatever was asked', () => {
    const asks = fc.record({
      promptTokens: fc.integer({ min: 1, max: 5_000 }),
      maxOutputTokens: fc.option(fc.integer({ min: 1, max: 20_000 })),
      tools: fc.nat(3),
      images: fc.nat(2),
      files: fc.nat(1),
      n: fc.integer({ min: 1, max: 3 }),
      jsonOutput: fc.constantFrom('none' as const, 'object' as const, 'schema' as const),
      reasoning: fc.option(fc.constantFrom('low', 'disabled')),
      model: fc.constantFrom('gpt-large', 'gpt-small', 'gpt-blind', 'nobody-knows'),
      lastUser: fc.string({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(
        asks,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom('question' as const, 'translation' as const, 'code' as const),
        (asked, score, task) => {
          // As the server has it: the tier follows from the score.
          const first = recorded(asked, { score, task });
          const found = rebuild(first, old);
          if (typeof found === 'string') throw new Error(found);
          const again = recorded(asked, { score, task, tier: found.input.verdict.tier });
          const { replayed, moved, reasons, cost } = replay([again], old);
          expect([replayed, moved]).toEqual([1, 0]);
          expect(Object.values(reasons)).toEqual([{ before: 1, after: 1 }]);
          expect(cost.afterUsd).toBe(cost.beforeUsd);
        },
      ),
    );
  });

  it('says what moves, where to, why, and what that costs with the same usage', () => {
    const records = Array.from({ length: 40 }, (_, at) => recorded({ promptTokens: 100 + at }));
    const report = replay(records, policyOf(tiers.replace('gpt-small', 'gpt-middle')));
    expect(report).toMatchObject({
      read: 40,
      replayed: 40,
      moved: 40,
      moves: [{ from: 'openai/gpt-small', to: 'openai/gpt-middle', requests: 40 }],
      reasons: { tier: { before: 40, after: 40 } },
      newlyRefused: 0,
      against: 'recorded',
    });
    // 1,500 tokens at 1 and at 2 dollars a million.
    expect(report.cost).toMatchObject({
      compared: 40,
      unknown: 0,
      beforeUsd: expect.closeTo(0.06, 10) as number,
      afterUsd: expect.closeTo(0.12, 10) as number,
      relative: { difference: expect.closeTo(1, 8) as number, low: expect.closeTo(1, 8) as number, high: expect.closeTo(1, 8) as number },
    });
    const text = replayText(report);
    for (const said of [
      'Moved: 40 requests (100.0%)',
      'openai/gpt-small  openai/gpt-middle        40',
      'with 95% confidence from $0.0600 to $0.0600',
      'that is +100.0%',
    ])
      expect(text).toContain(said);
  });

  it('finds tiers again by the new thresholds', () => {
    const high = recorded({}, { score: 0.1, signals: [{ name: 'question', value: true, share: 0.1 }] });
    const { moves } = replay(
      [high],
      policyOf(`${tiers}, thresholds: {simple: {score: 0.05, tokens: 500}, standard: {score: 0.6, tokens: 2000}}`),
    );
    expect(moves).toEqual([{ from: 'openai/gpt-small', to: 'openai/gpt-middle', requests: 1 }]);
  });

  it('names the needs that the new lists do not meet', () => {
    const blind = policyOf(tiers.replace('gpt-small', 'gpt-blind').replace('gpt-middle', 'gpt-blind').replace('gpt-large', 'gpt-blind'));
    const report = replay([recorded({ images: 1 }), recorded({ images: 2 }), recorded()], blind);
    expect(report).toMatchObject({
      capabilities: { vision: 2 },
      unable: { before: 0, after: 2 },
      reasons: { 'kept-no-candidate': { before: 0, after: 2 } },
    });
    expect(replayText(report)).toContain('Requests that nothing in the policy’s lists can take: 2 (0 before)'.replace('’', "'"));
  });

  it('counts what would be refused, and leaves it out of the cost', () => {
    const strict = policyOf(`${tiers}, overrides: [{name: no, when: {model: [gpt-large]}, then: {block: "No."}}]`);
    expect(replay([recorded(), recorded({ model: 'gpt-middle' })], strict)).toMatchObject({
      newlyRefused: 1,
      moved: 1,
      moves: [{ to: 'refused' }],
      cost: { compared: 1, unknown: 0 },
    });
    const refusedBefore = recorded({}, {}, strict);
    expect(replay([refusedBefore], old)).toMatchObject({ noLongerRefused: 1, moves: [{ from: 'refused' }] });
  });

  it('holds two policies against each other where it is told to, past what rests and budgets did', () => {
    const rested = recorded();
    const moved = {
      ...rested,
      decision: { ...rested.decision!, served: { provider: 'openai', model: 'gpt-large' }, reason: 'budget' as const },
    };
    expect(replay([moved], old).moved).toBe(1);
    expect(replay([moved], old, old)).toMatchObject({ moved: 0, against: old.hash });
  });

  it('takes a rule over text that it cannot know for no match, also a negated one, and counts the requests that reached it', () => {
    const keep = (when: string, first = ''): PolicySnapshot =>
      policyOf(`${tiers}, rules: [${first}{name: text, when: '${when}', then: {keep: true}}]`);
    for (const when of ['!request.lastUser.contains("x")', 'request.system == ""', '!("search" in request.toolNames)']) {
      expect(replay([recorded(), recorded()], keep(when)), when).toMatchObject({
        moved: 0,
        unknownRules: { text: 2 },
        approximated: { text: 2 },
      });
    }
    expect(replay([recorded()], keep('request.images == 0'))).toMatchObject({ moved: 1, unknownRules: {}, approximated: {} });
    expect(
      replay([recorded()], keep('!request.lastUser.contains("x")', '{name: first, when: "request.images == 0", then: {keep: true}}, ')),
    ).toMatchObject({ moved: 1, unknownRules: {} });
    const held = recorded();
    const told = { ...held, request: { ...held.request, promptStart: 'a whole prompt', asks: { ...held.request.asks!, userUnits: 14 } } };
    expect(replay([told], keep('!request.lastUser.contains("x")'))).toMatchObject({ moved: 1, unknownRules: {} });
    expect(
      replay([{ ...told, request: { ...told.request, promptStart: 'a whole' } }], keep('!request.lastUser.contains("x")')),
    ).toMatchObject({ moved: 0, unknownRules: { text: 1 } });
  });

  it('leaves out what cannot be decided again, and says what hangs on text', () => {
    const older = recorded();
    const { asks, ...request } = older.request;
    expect(asks).not.toBeNull();
    const records = [
      recorded(),
      { ...older, request } as ExchangeRecord,
      { ...older, kind: 'cached' as const },
      { ...older, decision: null },
      { ...older, provider: 'gone' },
    ];
    const sensitive = policyOf(
      `${tiers}, sensitivity: [{name: ids, pattern: "secret", then: {block: "No."}}], rules: [{name: words, when: 'request.lastUser.contains("x")', then: {keep: true}}]`,
    );
    const report = replay(records, sensitive);
    expect(report).toMatchObject({
      read: 5,
      replayed: 1,
      skipped: { 'older-record': 1, 'from-cache': 1, 'not-decided': 1, 'unknown-provider': 1 },
      approximated: { text: 1 },
    });
    expect(replayText(report)).toContain('1 hang on the prompt');
    expect(replayText(report)).toContain('rule words is unknown for 1 request ');
    // What a pattern decided, the same pattern decides again.
    const blocked = recorded({ lastUser: 'a secret' }, {}, sensitive);
    expect(replay([blocked], sensitive)).toMatchObject({ moved: 0, noLongerRefused: 0 });
    expect(replay([{ ...recorded(), usage: null }], old).cost).toMatchObject({ compared: 0, unknown: 1, difference: null, relative: null });
  });
});

describe('an interval', () => {
  const of = (values: readonly number[]) => {
    const sum = new IntervalSum();
    for (const value of values) sum.add(value, 1);
    return sum.result();
  };
  const shareOf = (pairs: readonly (readonly [number, number])[]) => {
    const sum = new IntervalSum();
    for (const [value, base] of pairs) sum.add(value, base);
    return sum.relative();
  };

  it('is exact for equal values, and none for one', () => {
    expect(of([2])).toBeNull();
    expect(of([2, 2, 2])).toEqual({ sum: 6, low: 6, high: 6, method: 'bootstrap' });
  });

  it('is about the same by resampling as by reckoning, and the same twice', () => {
    const values = Array.from({ length: 5_000 }, (_, at) => Math.sin(at * 12.9898) * 10 + 1);
    const drawn = of(values)!;
    const reckoned = of([...values, 1])!;
    expect([drawn.method, reckoned.method]).toEqual(['bootstrap', 'normal']);
    expect(Math.abs(drawn.low - reckoned.low) / (reckoned.high - reckoned.low)).toBeLessThan(0.08);
    expect(Math.abs(drawn.high - reckoned.high) / (reckoned.high - reckoned.low)).toBeLessThan(0.08);
    expect(of(values)).toEqual(drawn);
  });

  it('of a share is certain where every request saves the same share, however large it is', () => {
    const pairs = Array.from({ length: 40 }, (_, at) => [0.75 * (at + 1), at + 1] as const);
    const certain = { ratio: 0.75, low: expect.closeTo(0.75, 12) as number, high: expect.closeTo(0.75, 12) as number };
    expect(shareOf(pairs)).toEqual(certain);
    expect(shareOf([[1, 1]])).toBeNull();
    expect(
      shareOf([
        [0, 0],
        [0, 0],
      ]),
    ).toBeNull();
  });

  it('of a share lies within what single requests save, and is about the same by resampling as by reckoning', () => {
    const pairs = Array.from({ length: 5_000 }, (_, at) => [at % 3 === 0 ? 0 : 0.9 * (1 + (at % 7)), 1 + (at % 7)] as const);
    const drawn = shareOf(pairs)!;
    const reckoned = shareOf([...pairs, [0.9, 1]])!;
    expect(drawn.low).toBeLessThan(drawn.ratio);
    expect(drawn.high).toBeGreaterThan(drawn.ratio);
    expect(drawn.high).toBeLessThan(0.9);
    expect(Math.abs(drawn.low - reckoned.low) / (reckoned.high - reckoned.low)).toBeLessThan(0.08);
    expect(Math.abs(drawn.high - reckoned.high) / (reckoned.high - reckoned.low)).toBeLessThan(0.08);
  });
});

describe('recorded traffic', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-replay-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const at = Date.UTC(2026, 10, 20);
  const records = [0, 1, 2].map((hour) => ({ ...sample(at + hour * 3_600_000), workspace: hour === 2 ? 'blue' : 'red' }));
  const ids = async (
    file: string,
    options: { readonly from?: number; readonly where?: readonly string[]; readonly limit?: number } = {},
  ): Promise<string[]> => {
    const found: string[] = [];
    for await (const { id } of recordsOf({ file, from: options.from ?? null, where: options.where ?? [], limit: options.limit ?? 100 }))
      found.push(id);
    return found;
  };

  it('is read from a ledger, a log, an export and plain records', async () => {
    const [a, b, c] = records.map(({ id }) => id);
    const ledger = join(folder, 'ledger.db');
    const db = openDatabase(ledger, 'write');
    new LedgerWriter(db, { version: 'test' }).append(records.map((each) => JSON.stringify(each)));
    db.close();
    expect(await ids(ledger)).toEqual([c, b, a]);
    expect(await ids(ledger, { where: ['workspace=red'], limit: 1 })).toEqual([b]);
    expect(await ids(ledger, { from: at + 1 })).toEqual([c, b]);
    const log = join(folder, 'log');
    writeFileSync(
      log,
      [
        'not JSON "decision"',
        '{"msg":"ready"}',
        ...records.map((each) => JSON.stringify({ level: 30, msg: 'exchange', record: each })),
        '{"msg":"exchange","record":{"decision":',
      ].join('\n'),
    );
    expect(await ids(log)).toEqual([a, b, c]);
    const exported = join(folder, 'export');
    writeFileSync(exported, records.map((each) => JSON.stringify({ provenance_records: { routing_decision: each } })).join('\n'));
    expect(await ids(exported, { from: at + 1, limit: 1 })).toEqual([b]);
    const plain = join(folder, 'plain');
    writeFileSync(plain, records.map((each) => JSON.stringify(each)).join('\n'));
    expect(await ids(plain)).toEqual([a, b, c]);
    await expect(ids(plain, { where: ['tier=simple'] })).rejects.toMatchObject({ code: 'SLUICE_CLI_USAGE' });
    await expect(ids(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'SLUICE_FILE_UNREADABLE' });
  });

  it('is a check that CI can fail by', async () => {
    const dear = new ModelCatalog('1', '2026-01-01', [model('openai', 'gpt-5.1', 10), model('openai', 'gpt-5-nano', 1)]);
    expect(dear.size).toBe(2);
    const from = join(folder, 'traffic');
    const first = records[0]!;
    const lines = Array.from({ length: 20 }, (_, each) =>
      JSON.stringify({
        ...first,
        id: `${first.id.slice(0, -2)}${String(each).padStart(2, '0')}`,
        requestedModel: 'gpt-5.1',
        usage: usage(1_000, 100),
        decision: {
          ...first.decision!,
          requested: { provider: 'openai', model: 'gpt-5.1' },
          served: { provider: 'openai', model: 'gpt-5-nano' },
        },
      }),
    );
    writeFileSync(from, lines.join('\n'));
    const policy = join(folder, 'policy.yaml');
    writeFileSync(policy, 'version: 1\ndefaults: {tiers: []}\n');
    const run = (...flags: string[]): Promise<CommandResult> => sluice(['replay', '--policy', policy, '--from', from, ...flags]);
    const { stdout } = await run('--json', '--min-replayed', '20', '--max-refused', '0', '--max-unable', '0');
    expect(JSON.parse(stdout)).toMatchObject({ replayed: 20, moved: 20, moves: [{ from: 'openai/gpt-5-nano', to: 'openai/gpt-5.1' }] });
    expect(await run('--max-cost-increase', '5')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('Moved: 20 requests') as string,
      stderr: expect.stringMatching(/SLUICE_REPLAY_LIMIT .*The cost may rise by \d+\.\d%; 5% is allowed/) as string,
    });
    expect(await run('--max-moved', '50', '--min-replayed', '21')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /100\.0% of the requests would move; 50% is allowed\. 20 records could be decided again; at least 21 must be/,
      ) as string,
    });
    expect(await run('--max-moved', 'many')).toMatchObject({ code: 2 });
  });
});
