import { exchangeOf } from './exchange.ts';
import { ModelCatalog } from '../../src/catalog/catalog.ts';
import type { Capabilities, Catalog, ModelEntry } from '../../src/catalog/types.ts';
import { defaultThresholds, type Verdict } from '../../src/classify/types.ts';
import type { Answer, ParsedRequest, Usage } from '../../src/apis/types.ts';
import type { SensitivePattern } from '../../src/apis/inspect/patterns.ts';
import { compileCache } from '../../src/policy/options/cache.ts';
import type { CallerContext, CompiledRule, Directive, PolicySnapshot, PolicySection, Provider, TargetRef } from '../../src/policy/types.ts';
import { buildRecord, type AnswerEnding, type RequestFacts } from '../../src/record/record.ts';
import type { ExchangeRecord, RequestAsks } from '../../src/record/types.ts';
import { decide } from '../../src/route/decide.ts';
import type { DecideInput } from '../../src/route/types.ts';

const able: Capabilities = {
  vision: true,
  tools: true,
  jsonObject: true,
  jsonSchema: true,
  audioInput: true,
  audioOutput: true,
  files: true,
  reasoning: true,
};

export interface ModelFacts extends Partial<Omit<ModelEntry, 'capabilities' | 'prices'>> {
  readonly capabilities?: Partial<Capabilities>;
}

/** A chat model that can do everything unless told otherwise; `price` in US dollars per million tokens in and out. */
export function model(provider: string, name: string, price: number | null, facts: ModelFacts = {}): ModelEntry {
  const { capabilities, ...rest } = facts;
  return {
    provider,
    model: name,
    mode: 'chat',
    contextWindow: 100_000,
    maxOutput: 16_000,
    prices: {
      input: price,
      output: price,
      cachedRead: price,
      cacheWrite5m: price,
      cacheWrite1h: price,
      reasoning: null,
      audioInput: price,
      audioOutput: price,
      batchInput: null,
      batchOutput: null,
      imageInput: null,
      imageOutput: null,
      tiers: [],
    },
    capabilities: { ...able, ...capabilities },
    ...rest,
  };
}

/** small 1, middle 2, large 10, dear 20 dollars per million tokens. */
export const standardModels = [
  model('openai', 'small', 1),
  model('openai', 'middle', 2),
  model('openai', 'large', 10),
  model('openai', 'dear', 20),
  model('mistral', 'other', 0.5),
  model('anthropic', 'claude', 0.5),
];

export function provider(name: string, facts: Partial<Provider> = {}): Provider {
  return {
    name,
    family: 'openai',
    endpoint: 'https://example.test',
    pathPrefix: null,
    hosts: [],
    catalogProvider: name,
    deployments: new Map(),
    responses: false,
    credential: null,
    signing: null,
    ...facts,
  };
}

export const openai = provider('openai');

export function ref(name: string): TargetRef {
  const [from, to] = name.split('/');
  return to === undefined ? { provider: 'openai', model: from! } : { provider: from!, model: to };
}

export function section(facts: Partial<PolicySection> = {}): PolicySection {
  return {
    name: 'test',
    mode: 'enabled',
    failClosed: false,
    routedTiers: new Set(['simple', 'standard', 'complex']),
    classifier: { thresholds: defaultThresholds, taught: null, embeddingWaitMs: null },
    candidates: { simple: [ref('small')], standard: [ref('middle')], complex: [ref('large')] },
    overrides: [],
    rules: [],
    sensitivity: [],
    masks: null,
    websockets: 'allow',
    credentials: 'app',
    keys: new Map(),
    pinned: new Set(),
    allowProviders: new Set(),
    upgrades: 'never',
    unknownModel: 'keep',
    defaultTarget: null,
    baseline: null,
    shapes: null,
    streamUsage: 'leave',
    inAnswer: null,
    cache: compileCache({}),
    fallback: null,
    grading: null,
    sessions: null,
    learned: null,
    models: null,
    learning: null,
    verify: null,
    promptCapture: { kind: 'hash' },
    ...facts,
  };
}

export function generation(facts: Partial<PolicySnapshot> & { readonly models?: readonly ModelEntry[] } = {}): PolicySnapshot {
  const { models, ...rest } = facts;
  const catalog: Catalog = new ModelCatalog('2026-01-01-abc', '2026-01-01', models ?? standardModels);
  const own = section();
  return {
    number: 3,
    hash: '0123456789abcdef',
    files: [],
    experiments: [],
    rollout: null,
    resourceVersion: null,
    loadedAt: 1_700_000_000_000,
    providers: new Map(
      [
        openai,
        provider('mistral', { credential: { file: '/key', type: 'key' } }),
        provider('anthropic', { family: 'anthropic', credential: { file: '/key', type: 'key' } }),
      ].map((one) => [one.name, one]),
    ),
    catalog,
    workspaceHeaders: ['x-sluice-workspace'],
    ruleHeaders: [],
    userHeaders: ['x-sluice-user'],
    budgets: [],
    rateLimits: [],
    limitsConcurrent: false,
    webhooks: new Map(),
    callers: null,
    namedWorkspaces: null,
    workspaces: ['red'],
    hasChains: false,
    hasClosedSections: false,
    withholds: false,
    tierTables: new Map(),
    keyFiles: [],
    hasMasks: false,
    asksRouter: false,
    comparesModels: false,
    resolveProvider: (_authority, path) => ({ provider: openai, path }),
    section: () => own,
    ...rest,
  };
}

export function exchange(facts: Partial<ParsedRequest> = {}): ParsedRequest {
  return exchangeOf({ model: 'dear', lastUser: 'hello', bodyBytes: 100, promptTokens: 100, ...facts });
}

export function verdict(facts: Partial<Verdict> = {}): Verdict {
  return {
    tier: 'simple',
    score: 0.1,
    confidence: 0.9,
    unsure: false,
    task: 'question',
    domain: 'general',
    language: 'en',
    signals: [
      { name: 'length', value: 5, share: -0.05 },
      { name: 'question', value: true, share: 0.1 },
      { name: 'tools', value: 0, share: 0 },
    ],
    ...facts,
  };
}

export function rule(kind: 'override' | 'rule', name: string, then: Directive, matches = true): CompiledRule {
  return { kind, name, source: 'always', hinted: false, readsTask: false, shape: null, then, matches: () => matches };
}

/** A pattern; in tests every sensitivity rule is found. */
export const anyText: SensitivePattern = { source: '', ignoreCase: false, fold: true, base64: false };

const caller: CallerContext = {
  workspace: 'red',
  userTier: null,
  quality: null,
  task: null,
  session: null,
  user: null,
  headers: new Map(),
  now: 1_700_000_000_000,
};

export function input(
  facts: {
    readonly exchange?: Partial<ParsedRequest>;
    readonly verdict?: Partial<Verdict>;
    readonly section?: Partial<PolicySection>;
    readonly generation?: PolicySnapshot;
    readonly provider?: Provider;
    readonly hasCredential?: (name: string) => boolean;
  } = {},
): DecideInput {
  return {
    exchange: exchange(facts.exchange),
    sensitive: facts.section?.sensitivity?.map(() => true) ?? [],
    verdict: verdict(facts.verdict),
    caller,
    provider: facts.provider ?? openai,
    section: section(facts.section),
    generation: facts.generation ?? generation(),
    ...(facts.hasCredential === undefined ? {} : { hasCredential: facts.hasCredential }),
  };
}

export function usage(totalInput: number, totalOutput: number): Usage {
  return {
    convention: { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'subset', audio: 'subset' },
    input: totalInput,
    cachedRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    audioInput: 0,
    output: totalOutput,
    reasoning: 0,
    audioOutput: 0,
    totalInput,
    totalOutput,
    raw: '{}',
  };
}

export function answer(facts: Partial<Answer> = {}): Answer {
  return {
    usage: usage(1_000, 500),
    usageUnknown: null,
    model: 'small-2026',
    finishReason: 'stop',
    complete: true,
    errorType: null,
    ...facts,
  };
}

const asksOf = ({
  userTurns,
  lastUser,
  maxOutputTokens,
  n,
  jsonOutput,
  audioInputs,
  audioOutput,
  files,
  reasoning,
}: ParsedRequest): RequestAsks => ({
  userTurns,
  userUnits: lastUser.length,
  maxOutputTokens,
  answers: n,
  jsonOutput,
  audioInputs,
  audioOutput,
  files,
  reasoning,
});

/** The record of one decided exchange. */
export function record(
  decided: DecideInput = input(),
  { quality = null, ...ending }: Partial<AnswerEnding> & { readonly quality?: ExchangeRecord['quality'] } = {},
  facts: Partial<RequestFacts> = {},
): ExchangeRecord {
  return buildRecord(
    {
      kind: 'decision',
      id: '018bcfe5-6800-7000-8000-000000000001',
      wallTime: 1_700_000_000_000,
      generation: decided.generation,
      workspace: decided.caller.workspace,
      user: decided.caller.user,
      budgets: [],
      provider: decided.provider.name,
      api: decided.exchange.api,
      operation: decided.exchange.operation,
      stream: decided.exchange.stream,
      passReason: null,
      requestedModel: decided.exchange.model,
      verdict: decided.verdict,
      decision: decide(decided),
      section: decided.section.name,
      mode: decided.section.mode,
      request: {
        bytes: 100,
        estimatedTokens: decided.exchange.promptTokens,
        messages: decided.exchange.messages,
        tools: decided.exchange.tools,
        images: decided.exchange.images,
        promptHash: 'ab',
        promptStart: null,
        asks: asksOf(decided.exchange),
      },
      caller: { userTier: null, quality: null, task: null },
      arm: null,
      cache: 'off',
      cacheEntry: null,
      trace: null,
      overheadMs: 0.125,
      ...facts,
    },
    { outcome: 'complete', status: 200, answer: answer(), firstByteMs: 40, firstTokenMs: null, totalMs: 90.5, ...ending },
    quality,
  );
}
