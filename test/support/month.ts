import type { Catalog, Cost } from '../../src/catalog/types.ts';
import type { Usage } from '../../src/apis/types.ts';
import { Credentials } from '../../src/exchange/credentials.ts';
import { dryRun } from '../../src/exchange/dry-run.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import type { PolicySnapshot } from '../../src/policy/types.ts';
import { uuidv7 } from '../../src/record/id.ts';
import type { ExchangeRecord } from '../../src/record/types.ts';

const dayMs = 86_400_000;

export const monthPolicy = `version: 1
defaults:
  candidates:
    simple: [gpt-5-nano]
    standard: [gpt-5-mini]
    complex: [gpt-5.1]
  fallback:
    tiers: { simple: [openai/gpt-5-mini], standard: [openai/gpt-5.1] }
experiments:
  - { name: nano-for-support, kind: ab, share: 50%, model: openai/gpt-5-nano }
budgets:
  - { name: research-month, match: { workspace: [research] }, per: [workspace], period: month, usd: 40 }
limits:
  - { name: each-team, per: [workspace], tokens: { day: 2000000 }, concurrent: 8 }
sections:
  - name: openai
    match: { provider: [openai] }
`;

/** Prompts as apps send them, and how often. */
const prompts: readonly (readonly [model: string, prompt: string, weight: number])[] = [
  ['gpt-5.1', 'What is a CDN?', 9],
  ['gpt-5.1', 'Translate to French: the invoice is due on Monday.', 7],
  ['gpt-5.1', 'Classify the sentiment of this review as positive or negative: the battery died after two days.', 8],
  [
    'gpt-5.1',
    'Summarise the differences between optimistic and pessimistic locking for a team that runs PostgreSQL, with an example of each and when to use it.',
    5,
  ],
  [
    'gpt-5.1',
    'Prove that the square root of 2 is irrational, then generalise the proof to every prime and discuss why it fails for perfect squares.',
    3,
  ],
  [
    'gpt-5.1',
    'Refactor this TypeScript function to be iterative, keep its behaviour and explain the complexity:\n```ts\nfunction fib(n: number): number { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\n```',
    4,
  ],
  ['gpt-5-mini', 'Extract the order number from: order 4711 has not arrived.', 4],
  ['gpt-4.1', 'Write a short friendly reminder about the team lunch on Thursday.', 5],
];

/** The last name tries to be markup, the one before to break the layout. */
const workspaces = [
  'search',
  'support',
  'research',
  'checkout',
  'search',
  'support',
  'search',
  'a-team-with-a-very-long-name-that-must-wrap-somewhere',
  '<b>mark</b>',
];

export function monthGeneration(catalog: Catalog, text: string = monthPolicy, number = 1, loadedAt = Date.now()): PolicySnapshot {
  const { generation, problems } = compilePolicy([{ name: 'policy.yaml', text }], { catalog, number, now: loadedAt });
  if (generation === null) throw new Error(JSON.stringify(problems));
  return generation;
}

/** A month of traffic, oldest first, that ends now: decided by the real pipeline, answered by nobody. The same for the same count. */
export async function month(generation: PolicySnapshot, count: number, now: number): Promise<ExchangeRecord[]> {
  const decided = await Promise.all(prompts.map(([model, prompt]) => decide(generation, model, prompt)));
  const picks = prompts.flatMap(([, , weight], at) => Array<number>(weight).fill(at));
  const next = random(7);
  return Array.from({ length: count }, (_, index) => {
    const record = decided[picks[Math.floor(next() * picks.length)]!]!;
    const age = 1 - index / count;
    // Within the month even when the hour turns while a test runs.
    const at = now - 5_000 - Math.floor(29.5 * dayMs * age ** 1.15);
    return answered(record, at, index, next);
  }).sort((a, b) => a.time.localeCompare(b.time));
}

async function decide(generation: PolicySnapshot, model: string, prompt: string): Promise<ExchangeRecord> {
  const body = Buffer.from(JSON.stringify({ model, messages: [{ role: 'user', content: prompt }] }));
  const headers = new Map([
    [':method', 'POST'],
    [':path', '/v1/chat/completions'],
    [':authority', 'localhost'],
    ['content-type', 'application/json'],
    ['content-length', String(body.length)],
  ]);
  const { record, passed } = await dryRun({ generation, credentials: new Credentials(), router: null, headers, body });
  if (record === null) throw new Error(`passed: ${passed}`);
  return record;
}

function answered(record: ExchangeRecord, at: number, index: number, next: () => number): ExchangeRecord {
  const scale = 40 + 400 * next() ** 3;
  const unknown = index % 37 === 0;
  const hit = index % 6 === 1;
  const failed = index % 23 === 2;
  const lost = index % 61 === 3;
  const overheadMs = 0.15 + 0.4 * next() ** 4;
  const totalMs = 350 + 5_000 * next() ** 2;
  const amount = (estimate: Cost | undefined, by: number): Cost =>
    unknown || estimate?.known !== true ? { known: false, reason: 'usage' } : { known: true, usd: estimate.usd * by };
  const baseline = amount(record.decision?.baselineEstimate, scale);
  const cost: Cost = hit ? { known: true, usd: 0 } : amount(record.decision?.estimate, scale);
  const savings: Cost = baseline.known && cost.known ? { known: true, usd: baseline.usd - cost.usd } : { known: false, reason: 'usage' };
  const target = record.decision!.served;
  const chain = record.decision!.chain;
  const last = failed && !hit ? (chain[1] ?? target) : target;
  const attempt = { status: 200, reason: null, ms: totalMs * 0.8, cost, dropped: [] };
  return {
    ...record,
    id: uuidv7(at),
    time: new Date(at).toISOString(),
    workspace: workspaces[index % workspaces.length]!,
    stream: index % 2 === 0,
    servedModel: last.model,
    answeredModel: last.model,
    outcome: lost ? 'provider-error' : 'complete',
    status: lost ? 503 : 200,
    finishReason: lost ? null : 'stop',
    errorType: lost ? 'server_error' : null,
    cost,
    baseline,
    savings,
    cache: hit ? 'hit' : 'miss',
    cacheEntry: hit ? { id: '0f3a9c21d4e8', ageSeconds: 90, target, tier: record.decision!.tier, savedMs: 900 } : null,
    attempts: hit
      ? []
      : failed && chain.length > 1
        ? [
            {
              ...attempt,
              target,
              status: 503,
              outcome: 'provider-error',
              reason: index % 2 === 0 ? 'rate-limit' : 'server-error',
              ms: totalMs * 0.2,
              cost: { known: true, usd: 0 },
            },
            { ...attempt, target: last, outcome: 'complete' },
          ]
        : [{ ...attempt, target, outcome: lost ? 'provider-error' : 'complete' }],
    arm: index % 5 === 0 ? (index % 2 === 0 ? 'nano-for-support:control' : 'nano-for-support:treatment') : null,
    usage: unknown ? null : { ...noTokens, input: 180, totalInput: 180, output: 240, totalOutput: 240 },
    usageUnknown: unknown ? 'not-sent' : null,
    timing: { overheadMs, firstByteMs: totalMs * 0.4, firstTokenMs: index % 2 === 0 ? totalMs * 0.42 : null, totalMs: hit ? 1.2 : totalMs },
  };
}

const noTokens: Usage = {
  convention: { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'subset', audio: 'subset' },
  input: 0,
  cachedRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  audioInput: 0,
  output: 0,
  reasoning: 0,
  audioOutput: 0,
  totalInput: 0,
  totalOutput: 0,
  raw: '{}',
};

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
