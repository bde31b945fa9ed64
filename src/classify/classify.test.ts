import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apgr, keywordRule, lengthRule, measureTiers, ours, ourScore, readRows } from '../../bench/classifier.ts';
import { exchangeOf } from '../../test/support/exchange.ts';
import { classifyRequest } from './index.ts';
import type { Tier } from './types.ts';
import { textWeights } from './weights.ts';

const tierOf = (lastUser: string): Tier => classifyRequest(exchangeOf({ lastUser })).tier;

describe('tiers', () => {
  it.each<[string, Tier, string]>([
    ['en', 'simple', 'What is a CDN?'],
    ['en', 'standard', 'Explain the difference between TCP and UDP, with examples'],
    ['en', 'complex', 'Design a distributed rate limiter for 40 regions: consistency, failover, clock skew, monitoring, and rollback.'],
    ['en', 'complex', 'Prove by induction that the sum of the first n odd numbers is n^2. Show each step.'],
    ['de', 'simple', 'Was ist eine Datenbank?'],
    ['de', 'complex', 'Entwirf eine verteilte Plattform für Zahlungen: Replikation, Fehlertoleranz, Überwachung, Verschlüsselung und Audit.'],
    ['fr', 'simple', "Qu'est-ce que le DNS ?"],
    ['fr', 'complex', "Conçois une architecture distribuée de paiement : réplication, tolérance aux pannes, surveillance, chiffrement et audit."],
    ['es', 'simple', '¿Qué es un RTOS?'],
    ['es', 'complex', 'Demuestra que el problema de la parada es indecidible usando el argumento diagonal.'],
    ['zh', 'simple', '什么是负载均衡？'],
    ['zh', 'complex', '设计一个分布式支付系统，包括复制、容错、监控、加密和合规审计，支持回滚与灾难恢复'],
    ['ko', 'simple', '로드 밸런서란 무엇인가요?'],
    ['ko', 'complex', '분산 결제 플랫폼을 설계해 주세요. 복제, 내결함성, 모니터링, 암호화, 감사를 포함해야 합니다.'],
    ['tr', 'simple', 'DNS nedir?'],
    ['tr', 'complex', 'Dağıtık bir ödeme platformu tasarla: replikasyon, hata toleransı, izleme, şifreleme ve denetim.'],
    ['ja', 'simple', 'メモ化とは何ですか？'],
    ['ja', 'complex', '分散決済プラットフォームを設計してください。レプリケーション、耐障害性、監視、暗号化、監査を含めてください。'],
  ])('reads %s: %s: %s', (_language, tier, text) => {
    expect(tierOf(text)).toBe(tier);
  });

  it('names the language, the task and the domain', () => {
    const facts = (lastUser: string) => {
      const { language, task, domain } = classifyRequest(exchangeOf({ lastUser }));
      return { language, task, domain };
    };
    expect(facts('Übersetze diesen Vertrag und die Klausel zur Haftung')).toEqual({ language: 'de', task: 'translation', domain: 'legal' });
    expect(facts('Summarize the symptoms of the patient')).toEqual({ language: 'en', task: 'summary', domain: 'medical' });
    expect(facts('Write a function and fix this bug')).toMatchObject({ task: 'code', domain: 'code' });
    expect(facts('请翻译这句话')).toMatchObject({ language: 'zh', task: 'translation' });
  });

  it('takes size by the decision table, whatever the words', () => {
    const long = (tokens: number) => classifyRequest(exchangeOf({ lastUser: 'What is this?', promptTokens: tokens })).tier;
    expect([long(100), long(499), long(500), long(1_999), long(2_000)]).toEqual(['simple', 'simple', 'standard', 'standard', 'complex']);
  });

  it('does not take a short confirmation in a deep conversation for a simple question', () => {
    const verdict = classifyRequest(exchangeOf({ lastUser: 'Yes, do it.', system: 'You are a database architect. Review schemas and plan migrations.', userTurns: 4, messages: 7 }));
    expect(verdict.tier).not.toBe('simple');
    expect(verdict.signals.find(({ name }) => name === 'depth')?.share).toBeGreaterThan(0);
  });

  it.each(['ok', 'Yes, do it.', 'ja, mach das', "oui, d'accord", 'sí, adelante', '好的，继续', 'はい', '진행해 주세요', 'evet'])('reads "%s" in a conversation as a confirmation of what was said before', (lastUser) => {
    const verdict = classifyRequest(exchangeOf({ lastUser, userTurns: 2, messages: 3 }));
    expect(verdict.tier).not.toBe('simple');
    expect(verdict.signals).toContainEqual({ name: 'continuation', value: true, share: 0.22 });
    expect(classifyRequest(exchangeOf({ lastUser })).signals.some(({ name }) => name === 'continuation')).toBe(false);
  });

  it('weighs what earlier turns asked for when the last one only confirms them', () => {
    const facts = { lastUser: 'Yes, do it.', userTurns: 2, messages: 3 };
    const planned = classifyRequest(exchangeOf({ ...facts, context: 'Design a distributed ledger and prove that it is consistent' }));
    expect(planned.score).toBeGreaterThan(classifyRequest(exchangeOf({ ...facts, context: 'Nice weather today' })).score);
    expect(planned.signals.map(({ name }) => name)).toEqual(expect.arrayContaining(['context.design', 'context.prove']));
    const changed = classifyRequest(exchangeOf({ ...facts, lastUser: 'What is a CDN?', context: 'Design a distributed ledger' }));
    expect(changed.signals.some(({ name }) => name.startsWith('context.'))).toBe(false);
  });

  it("does not take a tool's result for a simple question", () => {
    const verdict = classifyRequest(exchangeOf({ lastUser: 'Which orders are late?', tools: 2, lastIsToolResult: true, context: 'Plan the migration', messages: 4 }));
    expect(verdict).toMatchObject({ task: 'agent' });
    expect(verdict.tier).not.toBe('simple');
    expect(verdict.signals.map(({ name }) => name)).toEqual(expect.arrayContaining(['tools', 'toolResult', 'context.plan']));
  });

  it('leaves a long document with a trivial question to the size limits', () => {
    const page = 'The order was shipped on Monday and arrived on Friday. '.repeat(60);
    const verdict = classifyRequest(exchangeOf({ lastUser: `Extract the weekday of arrival.\n${page}` }));
    expect(verdict).toMatchObject({ task: 'extraction' });
    expect(verdict.signals.find(({ name }) => name === 'longText')?.share).toBeLessThanOrEqual(0.16);
  });

  it('is less sure, with a wider margin, of a text that shows nothing but its size', () => {
    const blank = classifyRequest(exchangeOf({ lastUser: 'lorem ipsum dolor' }));
    const edge = (margin: number) => classifyRequest(exchangeOf({ lastUser: 'lorem ipsum dolor' }), { simple: { score: blank.score + margin, tokens: 500 }, standard: { score: 1.1, tokens: 2_000 } });
    expect(blank.confidence).toBeLessThanOrEqual(0.8);
    expect(edge(0.04)).toMatchObject({ tier: 'standard', unsure: true });
    expect(edge(0.06)).toMatchObject({ tier: 'simple', unsure: false });
  });

  it('goes to the safer tier when it is unsure, and says so', () => {
    const verdict = classifyRequest(exchangeOf({ lastUser: 'What is a CDN?' }));
    const edge = classifyRequest(exchangeOf({ lastUser: 'What is a CDN?' }), { simple: { score: verdict.score + 0.01, tokens: 500 }, standard: { score: 0.9, tokens: 2_000 } });
    expect(edge).toMatchObject({ tier: 'standard', unsure: true });
  });
});

describe('the score', () => {
  const exchanges = fc.record({
    lastUser: fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom('ok', 'Explain why')),
    context: fc.constantFrom('', 'Design a platform'),
    lastIsToolResult: fc.boolean(),
    system: fc.constantFrom('', 'Prove theorems step by step.', 'You label tickets.'),
    tools: fc.nat({ max: 20 }),
    images: fc.nat({ max: 3 }),
    userTurns: fc.integer({ min: 1, max: 9 }),
  });

  it('is the clamped sum of the shares of its signals, the same every time', () => {
    fc.assert(
      fc.property(exchanges, (facts) => {
        const verdict = classifyRequest(exchangeOf(facts));
        const sum = verdict.signals.reduce((total, { share }) => total + share, 0);
        expect(verdict.score).toBeCloseTo(Math.min(1, Math.max(0, sum)), 3);
        expect(classifyRequest(exchangeOf(facts))).toEqual(verdict);
      }),
    );
  });

  it('never falls when the request brings more tools, images or turns', () => {
    fc.assert(
      fc.property(exchanges, fc.constantFrom('tools', 'images', 'userTurns'), (facts, more) => {
        const before = classifyRequest(exchangeOf(facts)).score;
        expect(classifyRequest(exchangeOf({ ...facts, [more]: facts[more as 'tools'] + 1 })).score).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  it('reads words at the beginning and the end of a long text only, so that its cost is bounded', () => {
    const names = (lastUser: string) => classifyRequest(exchangeOf({ lastUser, promptTokens: 10 })).signals.map(({ name }) => name);
    const filler = 'lorem '.repeat(1_000);
    expect(names(`prove it ${filler}`)).toContain('prove');
    expect(names(`${filler} prove it`)).toContain('prove');
    expect(names(`${filler} prove it ${filler}`)).not.toContain('prove');
  });

  it('has weights of a sane sign: heavy work adds, look-ups and routine tasks take away', () => {
    for (const name of ['prove', 'derive', 'design', 'implement', 'plan', 'scale', 'constraints', 'questions', 'maths', 'why', 'steps', 'length'] as const) expect(textWeights[name]).toBeGreaterThan(0);
    for (const name of ['define', 'classify', 'translate', 'rewrite'] as const) expect(textWeights[name]).toBeLessThan(0);
  });

  it.each([
    ['one letter a million times', 'a'.repeat(1_000_000)],
    ['lone surrogates', '\ud800'.repeat(1_000)],
    ['emoji', '👩‍👩‍👧'.repeat(1_000)],
    ['words that almost match', 'step by ste '.repeat(50_000)],
    ['nothing', ''],
  ])('survives %s', (_name, text) => {
    const { score } = classifyRequest(exchangeOf({ lastUser: text, promptTokens: 10 }));
    expect(score).toBeGreaterThanOrEqual(0);
    expect(score).toBeLessThanOrEqual(1);
  });
});

const shared = fileURLToPath(new URL('../../../shared/data/routing', import.meta.url));
const data = process.env['SLUICE_ROUTING_DATA'] ?? (existsSync(shared) ? shared : '');

describe.skipIf(data === '')('on labelled prompts that no weight was fitted on', () => {
  it('beats keyword rules, length rules and every constant answer', () => {
    const all = readRows<{ prompt: string; expected_tier: string; lang: string; split: string }>(join(data, 'tiers.jsonl.gz'));
    const held = all.filter(({ split }) => split !== 'train');
    const mine = measureTiers(held, ours);
    const train = all.filter(({ split }) => split === 'train');
    for (const rule of [keywordRule(train), lengthRule(train), ...(['simple', 'standard', 'complex'] as const).map((tier) => () => tier)]) {
      const other = measureTiers(held, rule);
      expect(mine.accuracy).toBeGreaterThan(other.accuracy);
      expect(mine.macroF1).toBeGreaterThan(other.macroF1);
    }
  });

  it.each(['train', 'dev'])('ranks real outcomes (%s) above keyword and length rules', (name) => {
    const rows = readRows<{ prompt: string; weak_score: number; strong_score: number }>(join(data, `${name}.jsonl.gz`));
    const byKeyword = keywordRule(readRows<{ prompt: string; expected_tier: string; lang: string; split: string }>(join(data, 'tiers.jsonl.gz')).filter(({ split }) => split === 'train'));
    const mine = apgr(rows, ourScore);
    expect(mine).toBeGreaterThan(apgr(rows, (prompt) => prompt.length));
    expect(mine).toBeGreaterThan(apgr(rows, (prompt) => ['simple', 'standard', 'complex'].indexOf(byKeyword(prompt))));
  });
});
