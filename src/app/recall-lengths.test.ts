import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sample } from '../../test/support/ledger.ts';
import { Ledger } from '../ledger/ledger.ts';
import { SluiceError } from '../lib/errors.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { answerLength, learnLength } from '../router/output/answer-length.ts';
import { OutputTokens } from '../router/output/tokens.ts';
import { recallLengths } from './recall-lengths.ts';

const dayMs = 86_400_000;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lengths-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const open = (): Promise<Ledger> =>
  Ledger.open({
    file: join(folder, 'ledger.db'),
    version: '1',
    retention: { rowsMs: 100 * dayMs, rollupsMs: 100 * dayMs },
    signingKey: null,
    onCheckpoint: () => undefined,
    onError: (message) => {
      throw new Error(message);
    },
  });

/** A whole answer of `tokens` tokens to a request of the template `t`, `agoMs` ago. */
function answered(tokens: number, agoMs: number, facts: Partial<ExchangeRecord> = {}): ExchangeRecord {
  const record = sample(Date.now() - agoMs, { template: 't', outcome: 'complete', status: 200, ...facts });
  const usage = { ...record.usage!, output: tokens, totalOutput: tokens, reasoning: 0 };
  return { ...record, usage: 'usage' in facts ? record.usage : usage };
}

const silent = { info: () => undefined, warn: () => undefined };

it('a restarted server expects what the old one had learnt, from 1,200 records and nothing older than two weeks', async () => {
  const first = await open();
  const before = new OutputTokens();
  for (let i = 0; i < 1_200; i++) {
    const record = answered(40 + (i % 20), (2_000 - i) * 1_000);
    first.record(record);
    learnLength(before, answerLength(record));
  }
  first.record(answered(9_000, 15 * dayMs));
  await first.close();

  const { model, key, assumed } = answerLength(answered(50, 0))!;
  const after = new OutputTokens();
  const second = await open();
  const told: object[] = [];
  await recallLengths(second, after, { ...silent, info: (facts) => void told.push(facts) });
  // A question after the reading starts a reader of its own.
  await expect(second.decisions({ where: [], from: null, limit: 1 })).resolves.toHaveLength(1);
  await second.close();
  expect(told).toEqual([{ answers: 1_200 }]);
  expect(after.expected(model, key, assumed)).toEqual(before.expected(model, key, assumed));
});

it('answers that were cut, capped, failed or kept teach nothing', () => {
  expect(answerLength(answered(50, 0))).not.toBeNull();
  const silenced: Partial<ExchangeRecord>[] = [
    { usage: null },
    { outcome: 'client-gone' },
    { status: 500 },
    { shapeSavings: { usd: 0.1, known: true } as unknown as NonNullable<ExchangeRecord['shapeSavings']> },
    { cacheEntry: { id: 'x', ageSeconds: 1, target: { provider: 'p', model: 'm' }, tier: null, savedMs: null } },
    { kind: 'shadow' },
    { attempts: [] },
  ];
  const { request } = answered(50, 0);
  const within = (maxOutputTokens: number): Partial<ExchangeRecord> => ({
    request: { ...request, asks: { ...request.asks!, maxOutputTokens } },
  });
  expect(answerLength(answered(50, 0, within(51)))).not.toBeNull();
  // A probe for one token, whose provider takes no limit, had made all answers of its model look 50 times as long.
  silenced.push(within(50), within(1));
  for (const facts of silenced) expect(answerLength(answered(50, 0, facts)), JSON.stringify(facts)).toBeNull();
});

it('a ledger that cannot be read is told, and is no reason to stop', async () => {
  const told: string[] = [];
  const outputs = new OutputTokens();
  const lengths = (): Promise<never> => Promise.reject(new SluiceError('SLUICE_LEDGER_UNUSABLE', 'away', { where: 'ledger' }));
  await recallLengths({ lengths }, outputs, { ...silent, warn: (_facts, message) => void told.push(message) });
  await recallLengths(null, outputs, silent);
  expect(told).toHaveLength(1);
  expect(outputs.size).toBe(0);
});
