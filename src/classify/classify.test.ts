import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keywordRule, lengthRule, measureTiers, ours, readRows } from '../../bench/classifier.ts';
import { exchangeOf } from '../../test/support/exchange.ts';
import { classifyRequest } from './index.ts';
import { defaultThresholds, type Domain, type Tier, type TierThresholds } from './types.ts';

const tierOf = (lastUser: string): Tier => classifyRequest(exchangeOf({ lastUser })).tier;

describe('tiers', () => {
  it.each<[string, Tier, string]>([
    ['en', 'simple', 'What is a CDN?'],
    ['en', 'standard', 'Write a python function that reverses a string'],
    ['en', 'complex', 'What are the legal consequences of insider trading?'],
    ['en', 'complex', 'maximum dose of paracetamol'],
    ['en', 'simple', 'Extract the invoice number, total and due date from: Invoice 123, total 50 EUR, due 1 May'],
    ['en', 'simple', 'List three synonyms of happy, sad, angry, tired and calm'],
    ['en', 'complex', 'Design a distributed rate limiter for 40 regions: consistency, failover, clock skew, monitoring, and rollback.'],
    ['en', 'complex', 'Prove by induction that the sum of the first n odd numbers is n^2. Show each step.'],
    ['de', 'simple', 'Was ist eine Datenbank?'],
    [
      'de',
      'complex',
      'Entwirf eine verteilte Plattform für Zahlungen: Replikation, Fehlertoleranz, Überwachung, Verschlüsselung und Audit.',
    ],
    ['fr', 'simple', "Qu'est-ce que le DNS ?"],
    [
      'fr',
      'complex',
      'Conçois une architecture distribuée de paiement : réplication, tolérance aux pannes, surveillance, chiffrement et audit.',
    ],
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
    expect(
      facts(
        'Summarise this letter about the patient in two sentences:\nShe has had fever and a dry cough for five days, no chest pain, and takes ibuprofen.',
      ),
    ).toEqual({ language: 'en', task: 'summary', domain: 'medical' });
    expect(facts('Write a function and fix this bug')).toMatchObject({ task: 'code', domain: 'code' });
    expect(facts('请翻译这句话')).toMatchObject({ language: 'zh', task: 'translation' });
  });

  it('judges the ask: size decides only of very long prompts, or where the policy says so', () => {
    const long = (tokens: number, thresholds: TierThresholds = defaultThresholds) =>
      classifyRequest(exchangeOf({ lastUser: 'What is this?', promptTokens: tokens }), { thresholds }).tier;
    expect([long(100), long(39_999), long(40_000), long(80_000)]).toEqual(['simple', 'simple', 'standard', 'complex']);
    const sized = { simple: { score: 0.3, tokens: 500 }, standard: { score: 0.6, tokens: 2_000 }, margin: 0 };
    expect([499, 500, 1_999, 2_000].map((tokens) => long(tokens, sized))).toEqual(['simple', 'standard', 'standard', 'complex']);
  });

  it('finds an easy ask before, after and under long material', () => {
    const page =
      'The order was shipped on Monday and arrived on Friday, two days late. The customer had asked for a refund of the freight.\n'.repeat(
        40,
      );
    for (const lastUser of [`Translate this into French:\n${page}`, `${page}\nIs the customer angry? Answer yes or no.`])
      expect(tierOf(lastUser)).not.toBe('complex');
    const system = `You are the assistant of a shop. ${'We sell garden furniture, deliver within a week, and take goods back for a month. '.repeat(60)}`;
    expect(classifyRequest(exchangeOf({ lastUser: 'what is the price of the blue chair?', system })).tier).toBe('simple');
  });

  it('does not take a short confirmation in a deep conversation for a simple question', () => {
    const verdict = classifyRequest(
      exchangeOf({
        lastUser: 'Yes, do it.',
        system: 'You are a database architect. Review schemas and plan migrations.',
        userTurns: 4,
        messages: 7,
      }),
    );
    expect(verdict.tier).not.toBe('simple');
    expect(verdict.signals.find(({ name }) => name === 'depth')?.share).toBeGreaterThan(0);
  });

  it.each(['ok', 'Yes, do it.', 'ja, mach das', "oui, d'accord", 'sí, adelante', '好的，继续', 'はい', '진행해 주세요', 'evet'])(
    'reads "%s" in a conversation as a confirmation of what was said before',
    (lastUser) => {
      expect(classifyRequest(exchangeOf({ lastUser, userTurns: 2, messages: 3 })).tier).not.toBe('simple');
      expect(classifyRequest(exchangeOf({ lastUser })).signals.some(({ name }) => name === 'context')).toBe(false);
    },
  );

  it('judges a short answer with what earlier turns asked for', () => {
    const facts = { lastUser: 'Yes, do it.', userTurns: 2, messages: 3 };
    const planned = classifyRequest(
      exchangeOf({ ...facts, context: 'Prove that the distributed ledger is consistent under any partition, and derive the bound' }),
    );
    expect(planned.score).toBeGreaterThan(classifyRequest(exchangeOf({ ...facts, context: 'Nice weather today' })).score);
    expect(planned.signals.map(({ name }) => name)).toContain('context');
    const changed = classifyRequest(
      exchangeOf({
        ...facts,
        lastUser: 'Now something else: in which year did the first of our two shops in Leeds open its doors?',
        context: 'Prove that it is consistent',
      }),
    );
    expect(changed.signals.some(({ name }) => name === 'context')).toBe(false);
  });

  it("does not take a tool's result for a simple question", () => {
    const verdict = classifyRequest(
      exchangeOf({ lastUser: 'Which orders are late?', tools: 2, lastIsToolResult: true, context: 'Plan the migration', messages: 4 }),
    );
    expect(verdict).toMatchObject({ task: 'agent' });
    expect(verdict.signals.map(({ name }) => name)).toEqual(expect.arrayContaining(['tools', 'toolResult']));
  });

  it('takes the tier above within the margin that the policy sets, and says so; by default there is no margin', () => {
    const { score } = classifyRequest(exchangeOf({ lastUser: 'What is a CDN?' }));
    const edge = (margin: number) =>
      classifyRequest(exchangeOf({ lastUser: 'What is a CDN?' }), {
        thresholds: { simple: { score: score + 0.01, tokens: Infinity }, standard: { score: 0.95, tokens: Infinity }, margin },
      });
    expect(edge(0)).toMatchObject({ tier: 'simple', unsure: false });
    expect(edge(0.02)).toMatchObject({ tier: 'standard', unsure: true });
    expect(defaultThresholds.margin).toBe(0);
  });

  it.each<[string, string, string]>([
    ['be patient with me, I am new here', 'medical', ''],
    ['any promo code for the spring sale?', 'code', ''],
    ['who is John Madden', 'legal', ''],
    ['max dose of paracetamol per day for an adult', '', 'medical'],
    ['can my landlord keep the deposit for scratches on the floor', '', 'legal'],
    ['is a tracker fund better than paying off my mortgage early', '', 'finance'],
    ['fix this: TypeError: cannot read properties of undefined (reading map)', '', 'code'],
  ])('tells the field of "%s"', (lastUser, not, is) => {
    const { domain } = classifyRequest(exchangeOf({ lastUser }));
    if (not !== '') expect(domain).not.toBe(not);
    if (is !== '') expect(domain).toBe(is);
  });

  // None of these trained the model.
  it.each<[string, Domain]>([
    ['What is the maximum dose of paracetamol for an adult?', 'medical'],
    ['What is the highest dose of diclofenac an adult may take in a day?', 'medical'],
    ['How many milligrams of melatonin can an adult take?', 'medical'],
    ['What is the recommended dosage of metformin?', 'medical'],
    ['Is it safe to take naproxen together with warfarin?', 'medical'],
    ['Does ciprofloxacin interact with caffeine?', 'medical'],
    ['Which drugs interact with grapefruit juice?', 'medical'],
    ['Is ibuprofen contraindicated in kidney disease?', 'medical'],
    ['When should beta blockers not be given?', 'medical'],
    ['Wie viel Ibuprofen darf ein Erwachsener am Tag nehmen?', 'medical'],
    ["Quelle est la dose maximale d'aspirine pour un adulte ?", 'medical'],
    ['Qual è la dose massima di paracetamolo per un adulto?', 'medical'],
    ['What are the legal consequences of insider trading?', 'legal'],
    ['What are the legal consequences of tax fraud?', 'legal'],
    ['What are the consequences of breaching an NDA?', 'legal'],
    ['What is the penalty for drunk driving?', 'legal'],
  ])('never takes a delicate question for a simple one: %s', (lastUser, field) => {
    const { tier, domain } = classifyRequest(exchangeOf({ lastUser }));
    expect(domain).toBe(field);
    expect(tier).not.toBe('simple');
  });

  it.each(['what is paracetamol actually for', 'What is a thermometer?', 'What is the maximum speed of a falcon?'])(
    'takes a harmless one in the same words for simple: %s',
    (lastUser) => {
      expect(tierOf(lastUser)).toBe('simple');
    },
  );

  it('names probabilities: those of tasks add up to at most one, the chosen is the highest', () => {
    const { task, tasks, domain, domains, level } = classifyRequest(
      exchangeOf({ lastUser: 'Translate to Polish: the shop opens at nine.' }),
    );
    expect(task).toBe('translation');
    expect(Object.values(tasks!).reduce((sum, value) => sum + value, 0)).toBeLessThanOrEqual(1.03);
    expect(tasks![task]).toBe(Math.max(...Object.values(tasks!)));
    expect(domains![domain]).toBe(Math.max(...Object.values(domains!)));
    expect(level).toBeGreaterThanOrEqual(1);
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

  it('reads the beginning and the end of a long text only, so that its cost is bounded', () => {
    const filler = 'lorem ipsum '.repeat(2_000);
    const of = (lastUser: string) => classifyRequest(exchangeOf({ lastUser, promptTokens: 10 }));
    expect(of(`${filler}a${filler}`).score).toBe(of(`${filler}b${filler}`).score);
    expect(of(`${filler}\nTranslate this into French.`).task).toBe('translation');
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
});
