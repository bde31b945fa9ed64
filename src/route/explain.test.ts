import { expect, it } from 'vitest';
import { answer, input, record, ref, rule } from '../../test/support/decision.ts';
import { explainRecord } from './explain.ts';

it('says in which arms of experiments a request was', () => {
  expect(explainRecord(record(input(), {}, { arm: 'rollout:control,nano:treatment' }))).toContain(
    '\nExperiments: rollout:control, nano:treatment\n',
  );
});

it('names what kept a request from another API', () => {
  const candidates = { simple: [ref('anthropic/claude')], standard: [], complex: [] };
  const crossing = input({ section: { candidates, allowProviders: new Set(['anthropic']) } });
  const obstacles = [
    { path: 'n', why: 'Anthropic gives one answer' },
    { path: 'seed', why: 'Anthropic has no such parameter' },
  ];
  expect(explainRecord(record({ ...crossing, canTranslate: () => false, obstacles: () => obstacles }))).toContain(
    'no: its API has no place for something in this request (n Anthropic gives one answer; seed Anthropic has no such parameter)',
  );
});

it('explains a routed request from question to savings', () => {
  const candidates = { simple: [ref('middle'), ref('small'), ref('mistral/other')], standard: [], complex: [] };
  expect(explainRecord(record(input({ section: { candidates } }))))
    .toBe(`Decision 018bcfe5-6800-7000-8000-000000000001 at 2023-11-14T22:13:20.000Z
  asked for   dear at openai
  served by   openai/small
  because     the decision table chose the cheapest model of the tier that can do the job

Verdict: simple, score 0.100, confidence 0.90
  task question, domain general, language en
  +0.100  question = true
  -0.050  length = 5

Candidates, estimated for 300 output tokens (requested model: $0.00800000)
     openai/middle  simple  $0.00080000  can do it, not chosen
  *  openai/small   simple  $0.00040000  chosen
     mistral/other  simple  $0.00020000  no: the policy does not allow its provider here

Answer: complete, status 200, the provider calls the model small-2026
  tokens      1000 in (0 cached, 0 cache write), 500 out (0 reasoning)
  time        90.5 ms in all, first byte 40.0 ms, first token not seen, Sluice's own 0.125 ms

Cost $0.00150000
  requested model, same usage: $0.03000000
  saved: $0.02850000

Policy generation 3 (0123456789abcdef), section test, enabled; workspace red
Price catalog 2026-01-01-abc
`);
});

it('names what is unknown instead of a number', () => {
  const text = explainRecord(
    record(input({ exchange: { model: 'ft:mine' } }), { answer: answer({ usage: null, usageUnknown: 'cut' }), outcome: 'cut' }),
  );
  expect(text).toContain('because     the catalog does not know the requested model, and the policy keeps such models');
  expect(text).toContain('tokens      unknown: the answer was cut off (cut)');
  expect(text).toContain('saved: unknown: the token usage is unknown');
});

it('says what a shadow section would have done, and who refused a request', () => {
  expect(explainRecord(record(input({ section: { mode: 'shadow' } })))).toContain(
    'served by   openai/dear\n  because     the section is in shadow mode: nothing is changed\n  if enabled  it would have been served by openai/small: the decision table chose',
  );
  const blocked = explainRecord(
    record(input({ section: { rules: [rule('rule', 'night', { kind: 'block', message: 'Closed at night.' })] } }), {
      outcome: 'blocked',
      status: 403,
      answer: null,
    }),
  );
  expect(blocked).toContain('refused     Closed at night.\n  because     the policy refuses this request ("night")');
  expect(blocked).toContain('Cost $0.00000000\n');
});

it('explains a request that passed untouched', () => {
  expect(explainRecord(record(input(), {}, { kind: 'observed', passReason: 'route-off', decision: null, verdict: null }))).toContain(
    'asked for   dear at openai\n  untouched   the caller keeps its model (x-sluice-route: off) (route-off)\n',
  );
});

it('shows what callers named as text: no escape sequence, no line of their own', () => {
  const text = explainRecord(record(input(), {}, { requestedModel: 'a\u001b[2J\nCost $0', workspace: 'w\r\nforged' }));
  expect(text).toContain('asked for   a\\u{1b}[2J\\u{a}Cost $0 at openai\n');
  expect(text).toContain('workspace w\\u{d}\\u{a}forged');
});

it('tells the story of all attempts, and who answered in the end', () => {
  const { attempts } = record();
  const failed = {
    ...attempts[0]!,
    target: ref('middle'),
    status: 429,
    outcome: 'provider-error',
    reason: 'rate-limit',
    ms: 12,
    cost: { known: true, usd: 0 },
  } as const;
  const text = explainRecord(record(input(), {}, { requestId: 'app-7', traceId: 'abc' }));
  expect(text).not.toContain('Attempts');
  expect(text).toContain('Known elsewhere as request app-7, trace abc\n');
  const fellBack = explainRecord({ ...record(), attempts: [failed, attempts[0]!] });
  expect(fellBack).toContain('chosen      openai/small\n  served by   openai/small, attempt 2 of 2\n');
  expect(fellBack).toMatch(
    /Attempts\n {2}1 {2}openai\/middle {2}status 429 {2}12.0 ms {2}\$0.0+ +a rate limit of the provider was reached \(rate-limit\)\n {2}2 {2}openai\/small .* the app got its answer\n/,
  );
  expect(explainRecord({ ...record(), attempts: [failed], outcome: 'provider-error', status: 429 })).toContain(
    'served by   nobody: every attempt failed\n',
  );
});
