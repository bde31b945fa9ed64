import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { emptyBudgets } from '../budgets/open.ts';
import { ResponseCache } from '../cache/cache.ts';
import { loadCatalog } from '../catalog/index.ts';
import { MemoryGate } from './memory-gate.ts';
import type { Catalog } from '../catalog/types.ts';
import { OutputTokens } from '../router/output/tokens.ts';
import { openModel, type LiveModel } from '../router/model/live.ts';
import type { FilterRole } from '../attach/names.ts';
import type { AnswerPass, AnswerRetry, Attempt, BodyPlan, RequestPlan } from './plans.ts';
import type { HeaderMap } from '../lib/headers.ts';
import { head, outputs } from '../classify/text/heads.ts';
import { compilePolicy } from '../policy/compile.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { Metrics } from '../record/metrics.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { Cooldowns } from '../route/cooldowns.ts';
import { Pools } from '../route/pools.ts';
import { explainRecord } from '../route/explain.ts';
import { abilitiesHeader, errorsKey } from '../attach/names.ts';
import { LoadGate } from './load-gate.ts';
import { Credentials } from './credentials.ts';
import { limits } from '../lib/limits.ts';
import { BodyReader } from './body-reader.ts';
import { Pipeline, type PipelineOptions } from './gateway.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-pipeline-'));
const keyFile = join(folder, 'key');
let catalog: Catalog;
let router: LiveModel;

beforeAll(async () => {
  catalog = await loadCatalog();
  router = await openModel({ file: null, onChange: () => undefined, onError: () => undefined });
  writeFileSync(keyFile, 'gateway-key\n');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function headersOf(fields: Readonly<Record<string, string>>): HeaderMap {
  return { get: (name) => fields[name], entries: () => Object.entries(fields) };
}

const chatHeaders = {
  ':method': 'POST',
  ':path': '/v1/chat/completions',
  ':authority': 'gateway',
  'content-type': 'application/json',
  authorization: 'Bearer app-key',
};
const chatBody = (more = ''): string => `{"model":"gpt-5.1",${more}"messages":[{"role":"user","content":"What is a CDN?"}]}`;

const candidates = 'candidates: {simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1]}';

interface Bench {
  readonly pipeline: Pipeline;
  readonly records: ExchangeRecord[];
  readonly errors: object[];
  readonly metrics: Metrics;
  readonly generation: PolicySnapshot;
}

async function pipelineOf(
  policy: string,
  admission = new LoadGate(0),
  bodies: BodyReader | null = null,
  memory = new MemoryGate(null),
  embedder: PipelineOptions['embedder'] = null,
): Promise<Bench> {
  const { generation, problems } = compilePolicy([{ name: 'policy.yaml', text: policy }], { catalog });
  if (generation === null) throw new Error(JSON.stringify(problems));
  const credentials = new Credentials();
  await credentials.refresh(generation);
  const records: ExchangeRecord[] = [];
  const errors: object[] = [];
  const metrics = new Metrics({ version: 'test', policy: () => generation, refused: () => false });
  const pipeline = new Pipeline({
    cache: new ResponseCache({ memoryBytes: 1_000_000 }),
    policy: { current: () => generation },
    memory,
    credentials,
    cooldowns: new Cooldowns(),
    trials: null,
    pools: new Pools(),
    shadows: null,
    sessions: null,
    embedder,
    grader: null,
    feedback: null,
    router,
    budgets: emptyBudgets(),
    learner: null,
    outputs: new OutputTokens(),
    sink: { record: (record) => records.push(record) },
    metrics,
    admission,
    bodies,
    log: { error: (fields) => errors.push(fields), debug: () => undefined },
  });
  return { pipeline, records, errors, metrics, generation };
}

function bodyOf(plan: RequestPlan, body: string): BodyPlan {
  if (plan.kind !== 'read-body') throw new Error(`the body was not asked for: ${JSON.stringify(plan)}`);
  const answer = plan.handler.take(Buffer.from(body));
  if (answer.kind === 'later') throw new Error('nothing here has to wait');
  return answer;
}

/** A plan for which Envoy is asked to wait. */
async function promised(planned: ReturnType<(RequestPlan & { kind: 'read-body' })['handler']['take']>): Promise<BodyPlan> {
  if (planned.kind !== 'later' || planned.ms === 0) throw new Error('nothing has to wait');
  const plan = await planned.result;
  if (plan.kind === 'later') throw new Error('nothing has to wait twice');
  return plan;
}

function forwarded(plan: BodyPlan): {
  body: string | undefined;
  headers: Readonly<Record<string, string>>;
  remove: readonly string[];
  clear: boolean;
} {
  if (plan.kind !== 'forward') throw new Error('not forwarded');
  return {
    body: plan.body === undefined ? undefined : Buffer.concat([plan.body].flat()).toString(),
    headers: Object.fromEntries(plan.headers?.set ?? []),
    remove: plan.headers?.remove ?? [],
    clear: plan.clearRouteCache ?? false,
  };
}

describe('the pipeline', () => {
  it('asks for no body of what it cannot use, and counts why', async () => {
    const { pipeline, metrics } = await pipelineOf(`version: 1\ndefaults: {${candidates}}\n`);
    const kinds = [
      { ...chatHeaders, ':path': '/healthz' },
      { ...chatHeaders, 'content-type': 'multipart/form-data' },
      { ...chatHeaders, 'content-encoding': 'compress' },
      { ...chatHeaders, 'content-length': String(64 * 1024 * 1024) },
      { ...chatHeaders, ':method': 'GET', ':path': '/v1/responses', upgrade: 'websocket' },
    ].map((headers) => pipeline.requestHeaders(headersOf(headers), false).kind);
    expect(kinds).toEqual(['pass', 'pass', 'pass', 'pass', 'pass']);
    const text = await metrics.registry.metrics();
    for (const reason of ['not-json', 'encoded-body', 'too-large', 'upgrade'])
      expect(text).toMatch(new RegExp(`llm_proxy_passthrough_total\\{reason="${reason}"\\} 1`));
    pipeline.close();
  });

  it('writes the record of an exchange whose answer never came, and says so', async () => {
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}}\n`);
    bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody());
    expect(pipeline.pending).toBe(1);
    pipeline.close();
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ outcome: 'unobserved', usageUnknown: 'not-observed', cost: { known: false } });
  });

  it('ignores an answer that it knows nothing of', async () => {
    const { pipeline } = await pipelineOf('version: 1\n');
    expect(pipeline.responseHeaders(headersOf({ ':status': '200' }), { id: 'somebody else’s' }, false)).toEqual({ kind: 'ignore' });
    expect(pipeline.responseHeaders(headersOf({ ':status': '200' }), null, false)).toEqual({ kind: 'ignore' });
    pipeline.close();
  });

  it('observes Bedrock, which it cannot rewrite', async () => {
    const { pipeline, records } = await pipelineOf(
      'version: 1\nproviders: {aws: {dialect: bedrock, endpoint: "https://bedrock-runtime.us-east-1.amazonaws.com"}}\n',
    );
    const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, ':path': '/model/anthropic.claude-3-haiku/converse' }), false);
    if (plan.kind !== 'pass') throw new Error(plan.kind);
    pipeline.responseHeaders(headersOf({ ':status': '200', 'content-type': 'application/json' }), plan.metadata ?? null, true);
    pipeline.close();
    expect(records[0]).toMatchObject({
      kind: 'observed',
      api: 'bedrock',
      requestedModel: 'anthropic.claude-3-haiku',
      passReason: 'not-rewritable',
      usageUnknown: 'unreadable',
      status: 200,
    });
  });

  it('changes nothing in shadow mode, and records what it would have done', async () => {
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {mode: shadow, ${candidates}}\n`);
    expect(forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody())).body).toBeUndefined();
    pipeline.close();
    expect(records[0]).toMatchObject({
      mode: 'shadow',
      servedModel: 'gpt-5.1',
      decision: { reason: 'shadow', wouldServe: { model: 'gpt-5-nano' } },
    });
  });

  it('reads nothing where the policy is off', async () => {
    const { pipeline } = await pipelineOf('version: 1\nsections: [{name: quiet, match: {workspace: [quiet]}, mode: "off"}]\n');
    expect(pipeline.requestHeaders(headersOf({ ...chatHeaders, 'x-sluice-workspace': 'quiet' }), false).kind).toBe('pass');
    expect(pipeline.requestHeaders(headersOf(chatHeaders), false).kind).toBe('read-body');
    pipeline.close();
  });

  it('adds stream_options where the policy asks for usage and the app said nothing', async () => {
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {streamUsage: ask, ${candidates}}\n`);
    const ask = (more: string) =>
      forwarded(bodyOf(pipeline.requestHeaders(headersOf({ ...chatHeaders, [abilitiesHeader]: 'none' }), false), chatBody(more))).body;
    expect(ask('"stream":true,')).toBe(
      chatBody('"stream":true,').replace('{"model":"gpt-5.1"', '{"stream_options":{"include_usage":true},"model":"gpt-5-nano"'),
    );
    expect(ask('"stream":true,"stream_options":{"include_usage":false},')).not.toContain('true},"model');
    expect(ask('')).not.toContain('stream_options');
    pipeline.close();
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('reads and decides a body in %s, which goes on decoded', async (encoding, encode) => {
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {${candidates}}\n`);
    const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, 'content-encoding': encoding }), false);
    if (plan.kind !== 'read-body') throw new Error(plan.kind);
    const { body, remove } = forwarded(plan.handler.take(encode(Buffer.from(chatBody()))) as BodyPlan);
    expect([body, remove]).toEqual([chatBody().replace('gpt-5.1', 'gpt-5-nano'), ['content-encoding']]);
    pipeline.close();
  });

  it('leaves a compressed body as it came where it cannot be decoded, and in shadow mode', async () => {
    const zipped = gzipSync(Buffer.from(chatBody()));
    for (const [mode, sent] of [
      ['enabled', zipped.subarray(0, 40)],
      ['shadow', zipped],
    ] as const) {
      const { pipeline, metrics } = await pipelineOf(`version: 1\ndefaults: {mode: ${mode}, ${candidates}}\n`);
      const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, 'content-encoding': 'gzip' }), false);
      if (plan.kind !== 'read-body') throw new Error(plan.kind);
      const { body, remove } = forwarded(plan.handler.take(sent) as BodyPlan);
      expect([body, remove]).toEqual([undefined, []]);
      const passed = /llm_proxy_passthrough_total\{reason="encoded-body"\} 1/.test(await metrics.registry.metrics());
      expect(passed).toBe(mode === 'enabled');
      pipeline.close();
    }
  });

  it('rewrites a Gemini model in the path and leaves the query', async () => {
    const { pipeline } = await pipelineOf(
      'version: 1\ndefaults: {candidates: {simple: [google/gemini-2.5-flash-lite], standard: [google/gemini-2.5-flash], complex: [google/gemini-2.5-pro]}}\n',
    );
    const plan = pipeline.requestHeaders(
      headersOf({ ...chatHeaders, ':path': '/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse' }),
      false,
    );
    const { headers, clear, body } = forwarded(bodyOf(plan, '{"contents":[{"parts":[{"text":"What is DNS?"}]}]}'));
    expect(headers[':path']).toBe('/v1beta/models/gemini-2.5-flash-lite:streamGenerateContent?alt=sse');
    expect([clear, body]).toEqual([true, undefined]);
    pipeline.close();
  });

  describe('crossing providers', () => {
    const policy = (credential: string): string => `version: 1
providers: {mistral: {${credential}}}
sections: [{name: crossing, match: {provider: [openai]}, allowProviders: [mistral], candidates: {simple: [mistral/mistral-small-latest], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1]}}]
`;

    it("swaps the app's key for the gateway's own, so that it never reaches a stranger", async () => {
      const { pipeline } = await pipelineOf(policy(`credentialFile: ${JSON.stringify(keyFile)}`));
      const { body, headers, remove, clear } = forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody()));
      expect(body).toContain('"model":"mistral-small-latest"');
      expect(headers).toMatchObject({
        authorization: 'Bearer gateway-key',
        'x-sluice-cluster': 'provider_mistral',
        ':path': '/mistral/v1/chat/completions',
      });
      expect(remove).toEqual(expect.arrayContaining(['x-api-key', 'api-key', 'x-goog-api-key']));
      expect(clear).toBe(true);
      pipeline.close();
    });

    it('stays at home when the key is missing', async () => {
      const { pipeline, records } = await pipelineOf(policy(`credentialFile: ${JSON.stringify(join(folder, 'gone'))}`));
      const { headers } = forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody()));
      expect(headers['x-sluice-cluster']).toBeUndefined();
      pipeline.close();
      expect(records[0]?.decision?.candidates[0]).toMatchObject({ target: { provider: 'mistral' }, disqualified: 'no-credential' });
    });
  });

  it('passes a request after an error of its own, counts it, and answers 503 only where the policy is fail-closed', async () => {
    const plans = await Promise.all(
      ['false', 'true'].map(async (failClosed) => {
        const { pipeline, generation, errors, metrics } = await pipelineOf(
          `version: 1\ndefaults: {failClosed: ${failClosed}, ${candidates}}\n`,
        );
        const asked = pipeline.requestHeaders(headersOf(chatHeaders), false);
        Object.defineProperty(generation, 'catalog', {
          get: () => {
            throw new Error('broken on purpose');
          },
        });
        const plan = bodyOf(asked, chatBody());
        expect(errors.length).toBeGreaterThan(0);
        expect(await metrics.registry.getSingleMetricAsString('llm_proxy_fail_open_total')).toContain('internal-error');
        return plan;
      }),
    );
    expect(plans[0]).toEqual({ kind: 'forward' });
    expect(plans[1]).toMatchObject({ kind: 'respond', status: 503 });
  });
});

it('learns from answers how many output tokens a model takes, and reckons with that', async () => {
  const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}, tiers: [simple, standard, complex]}\n`);
  const usage = '{"prompt_tokens":20,"completion_tokens":1500,"total_tokens":1520,"completion_tokens_details":{"reasoning_tokens":1400}}';
  const answer = `{"id":"x","object":"chat.completion","model":"gpt-5-nano","choices":[{"index":0,"message":{"role":"assistant","content":"A network."},"finish_reason":"stop"}],"usage":${usage}}`;
  for (let i = 0; i < 20; i++) {
    const plan = bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody());
    const read = pipeline.responseHeaders(
      headersOf({ ':status': '200', 'content-type': 'application/json' }),
      plan.metadata ?? null,
      false,
    );
    if (read.kind === 'read') {
      read.observer.chunk(Buffer.from(answer));
      read.observer.end(true, false);
    }
    await vi.waitFor(() => expect(records).toHaveLength(i + 1));
  }
  const tokens = (at: number): number | undefined =>
    records[at]!.decision!.candidates.find(({ target }) => target.model === 'gpt-5-nano')?.outputTokens;
  expect(tokens(0)).toBeUndefined();
  expect(tokens(19)).toBeGreaterThan(1_000);
  expect(records[19]!.decision!.assumedOutputTokens).toBe(tokens(19));
  // Nothing was learnt of the requested model: the task's assumption stands in.
  expect(records[19]!.decision!.baselineOutputTokens).toBe(records[0]!.decision!.assumedOutputTokens);
  pipeline.close();
});

describe('a section that asks the sentence model', () => {
  const addition = new Float64Array(outputs).map((_, k) => (k === head.level ? 4 : 0));
  const policy = (waitMs: number): string => `version: 1\ndefaults: {${candidates}, classifier: {embedding: {waitMs: ${waitMs}}}}\n`;
  const ask = async (text: string, embedder: PipelineOptions['embedder']): Promise<{ record: ExchangeRecord; counted: string }> => {
    const { pipeline, records, metrics } = await pipelineOf(text, undefined, undefined, undefined, embedder);
    const plan = pipeline.requestHeaders(headersOf(chatHeaders), false);
    if (plan.kind !== 'read-body') throw new Error(plan.kind);
    const answer = plan.handler.take(Buffer.from(chatBody()));
    if (answer.kind === 'later') await answer.result;
    pipeline.close();
    const counted = (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('llm_proxy_embedding_total{'));
    return { record: records[0]!, counted: counted.join() };
  };

  it('is judged with what is known of the prompt, at once or within the time that it waits; the record says what it changed', async () => {
    const plain = (await ask(policy(0), null)).record.verdict!;
    for (const [waitMs, found] of [
      [0, { result: 'cached', addition }],
      [50, Promise.resolve({ result: 'computed', addition } as const)],
    ] as const) {
      const waits: number[] = [];
      const { record, counted } = await ask(policy(waitMs), { find: (_, ms) => (waits.push(ms), found) });
      const { result } = await found;
      expect(waits).toEqual([waitMs]);
      expect(record.verdict!.level).toBeGreaterThan(plain.level!);
      expect(record.verdict!.signals[0]!.share).toBe(plain.signals[0]!.share);
      expect(record.verdict!.signals[1]).toMatchObject({ name: 'embedding', value: result });
      expect(record.verdict!.signals[1]!.share).toBeGreaterThan(0.1);
      expect(explainRecord(record)).toMatch(new RegExp(`\\+0\\.\\d{3} {2}embedding = ${result}\\n`));
      expect(counted).toBe(`llm_proxy_embedding_total{result="${result}"} 1`);
    }
  });

  it('is judged by the text model alone if the vector is late, and the record says so', async () => {
    const plain = (await ask(policy(0), null)).record.verdict!;
    const { record, counted } = await ask(policy(0), { find: () => ({ result: 'late', addition: null }) });
    expect(record.verdict).toEqual({
      ...plain,
      signals: [plain.signals[0], { name: 'embedding', value: 'late', share: 0 }, ...plain.signals.slice(1)],
    });
    expect(counted).toBe('llm_proxy_embedding_total{result="late"} 1');
  });

  it('asks nothing where the policy does not say so', async () => {
    const none = { find: () => expect.unreachable() };
    const { record, counted } = await ask(`version: 1\ndefaults: {${candidates}}\n`, none);
    expect(record.verdict!.signals.map(({ name }) => name)).not.toContain('embedding');
    expect(counted).toBe('');
  });
});

describe('a section with learned routing', () => {
  const easy = 'The psychologist most associated with classical conditioning is\\nA. Freud\\nB. Pavlov\\nC. Skinner\\nD. Maslow';
  const hard = 'Write a function to find the longest common subsequence of two strings.';
  const pair = 'pair: {weak: mixtral-8x7b-instruct, strong: gpt-4-1106-preview}';
  const chat = (content: string, more = ''): string => `{"model":"gpt-5.1",${more}"messages":[{"role":"user","content":"${content}"}]}`;

  async function decided(learned: string, body: string, rest = ''): Promise<{ record: ExchangeRecord; sent: string | undefined }> {
    const { pipeline, records } = await pipelineOf(
      `version: 1\ndefaults: {learned: {weak: openai/gpt-5-nano, strong: [gpt-5.1], ${learned}}${rest}}\n`,
    );
    const { body: sent } = forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), body));
    pipeline.close();
    return { record: records[0]!, sent };
  }

  it('sends to the weak model what it is good enough for, and says why', async () => {
    const { record, sent } = await decided(`maxQualityLoss: 4%, ${pair}`, chat(easy));
    expect(sent).toContain('"model":"gpt-5-nano"');
    expect(record).toMatchObject({
      servedModel: 'gpt-5-nano',
      decision: {
        reason: 'learned',
        learned: { says: 'weak', acts: true, abstained: null, calibration: 'mixtral-8x7b-instruct > gpt-4-1106-preview', maxLoss: 0.04 },
      },
    });
    const { learned } = record.decision!;
    expect(learned!.gain).toBeLessThanOrEqual(learned!.threshold!);
    const text = explainRecord(record);
    expect(text).toContain('because     the learned router expects the cheaper model to do as well');
    for (const { name } of learned!.influences) expect(text).toMatch(new RegExp(`[+-]\\d\\.\\d{3} {2}${name}\\n`));
    // Nothing of the prompt but its hash is in the record.
    expect(JSON.stringify(record)).not.toContain('Pavlov');
  });

  it('gives no verdict on what another pair needs the strong model for, under a promise that nothing keeps, and on what it has never seen', async () => {
    const outcomes = await Promise.all([
      decided(`maxQualityLoss: 3%, ${pair}`, chat(hard)),
      decided('maxQualityLoss: 1%, pair: {weak: mistral-7b-instruct-v0.3, strong: llama-3.1-nemotron-51b-instruct}', chat(easy)),
      decided(`maxQualityLoss: 3%, ${pair}`, chat(easy, '"tools":[{"type":"function","function":{"name":"f"}}],')),
      decided(`maxQualityLoss: 3%, ${pair}`, chat('Қазақстанның астанасы қай қала екенін айтыңыз')),
    ]);
    expect(
      outcomes.map(({ record, sent }) => [
        sent,
        record.servedModel,
        record.decision!.reason,
        record.decision!.learned!.says,
        record.decision!.learned!.abstained,
      ]),
    ).toEqual([
      [undefined, 'gpt-5.1', 'kept-tier-not-routed', null, null],
      [undefined, 'gpt-5.1', 'kept-tier-not-routed', null, null],
      [undefined, 'gpt-5.1', 'kept-tier-not-routed', null, 'tools'],
      [undefined, 'gpt-5.1', 'kept-tier-not-routed', null, 'words'],
    ]);
  });

  it('as the page shows it, never costs more than the tiers alone, and moves whatever they move', async () => {
    const [, example = ''] =
      /```yaml\n(version: 1[\s\S]*?)```/.exec(readFileSync(new URL('../../docs/learned-routing.md', import.meta.url), 'utf8')) ?? [];
    const tiers = `  ${candidates}\n  tiers: [simple, standard, complex]\n`;
    const prompts = [
      easy,
      hard,
      'Hi',
      'thanks, that helps!',
      'What is the capital of Peru?',
      'Design a globally distributed database with strict serialisability.',
      'Translate to French: the invoice is due on Friday.',
      'Summarise: we met on Monday, moved the launch to May and hired two people.',
      'Prove that the square root of 2 is irrational.',
      'A baker sells 12 loaves at $3 each and pays $9 for flour. How much is left?',
      'Schreibe eine kurze Absage an einen Bewerber.',
      'Give me ten names for a bakery.',
      'Which gas do plants take in?\\nA. Oxygen\\nB. Carbon dioxide\\nC. Helium\\nD. Neon',
      'Is this review positive? The food was cold and the waiter rude.',
    ];
    const costs = async (policy: string): Promise<readonly { readonly usd: number; readonly reason: string }[]> => {
      const { pipeline, records } = await pipelineOf(policy);
      for (const prompt of prompts) forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chat(prompt)));
      pipeline.close();
      return records.map(({ decision }) => ({
        usd: decision!.estimate.known ? decision!.estimate.usd : Infinity,
        reason: decision!.reason,
      }));
    };
    const alone = await costs(`version: 1\ndefaults:\n${tiers}`);
    const added = await costs(`${example}${tiers}`);
    expect(alone.filter(({ reason }) => reason === 'tier').length).toBeGreaterThan(prompts.length / 2);
    for (const [at, { usd }] of added.entries()) expect(usd, prompts[at]).toBeLessThanOrEqual(alone[at]!.usd);
  });

  it('only records what it would say of a pair without a calibration, unless the policy insists', async () => {
    const shadow = await decided('maxQualityLoss: 3%', chat(easy), `, ${candidates.replace('gpt-5-nano', 'gpt-5-mini')}`);
    expect(shadow.record).toMatchObject({
      servedModel: 'gpt-5-mini',
      decision: { reason: 'tier', learned: { acts: false, calibration: null, threshold: null, says: null } },
    });
    expect(explainRecord(shadow.record)).toContain('no calibration of this pair: only recorded');
    const insisting = await decided('maxQualityLoss: 3%, uncalibrated: strictest', chat(easy));
    expect(insisting.record).toMatchObject({ decision: { learned: { acts: true, calibration: null } } });
    expect(insisting.record.decision!.learned!.threshold).not.toBeNull();
  });

  it('leaves alone what asks for other models', async () => {
    const { record } = await decided(`maxQualityLoss: 3%, ${pair}`, chat(easy).replace('gpt-5.1', 'gpt-5-mini'));
    expect(record.decision).toMatchObject({ reason: 'kept-tier-not-routed' });
    expect(record.decision!.learned).toBeUndefined();
  });
});

describe('an Envoy without memory for another large body', () => {
  const large = { ...chatHeaders, 'content-length': '30000000' };
  const bench = (admission?: LoadGate): Promise<Bench> =>
    pipelineOf(`version: 1\ndefaults: {${candidates}}`, admission, null, new MemoryGate(200_000_000));
  const plan = ({ pipeline }: Bench, headers: Readonly<Record<string, string>> = large): RequestPlan =>
    pipeline.requestHeaders(headersOf(headers), false);

  it('refuses large requests in the words of their API, records and counts them, and lets small ones in', async () => {
    const one = await bench();
    expect([plan(one).kind, plan(one).kind]).toEqual(['read-body', 'respond']);
    expect(plan(one, chatHeaders).kind).toBe('read-body');
    const refused = plan(one) as Extract<RequestPlan, { kind: 'respond' }>;
    expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([503, { error: { code: 'unreadable_memory' } }]);
    expect(refused.headers).toContainEqual(['retry-after', '1']);
    expect(one.records[0]).toMatchObject({ passReason: 'memory', outcome: 'blocked', status: 503 });
    expect(await one.metrics.registry.metrics()).toContain('llm_proxy_refused_total{reason="memory"} 2');
  });

  it('has room again when the client leaves, and room for one more when the answer has begun', async () => {
    const one = await bench();
    const first = plan(one) as Extract<RequestPlan, { kind: 'read-body' }>;
    first.handler.aborted();
    const second = plan(one) as Extract<RequestPlan, { kind: 'read-body' }>;
    const decided = second.handler.take(Buffer.from(chatBody()));
    const other = { ...chatHeaders, 'content-length': '27000000' };
    // Forwarded, a body counts once: 30 MB and 105 MB fit into 200 MB, and 94.5 MB more do not until the first is answered.
    expect([plan(one).kind, plan(one, other).kind]).toEqual(['read-body', 'respond']);
    const { metadata } = decided as unknown as { readonly metadata: { readonly id: string } };
    one.pipeline.responseHeaders(headersOf({ ':status': '200' }), metadata, true);
    expect(plan(one, other).kind).toBe('read-body');
  });

  it('counts bodies of requests that pass undecided, too', async () => {
    let now = 0;
    const admission = new LoadGate(100, () => now);
    now = 1_000;
    admission.tick();
    const one = await bench(admission);
    const kinds = Array.from({ length: 5 }, () => plan(one).kind);
    expect(kinds).toEqual(['pass', 'pass', 'pass', 'pass', 'respond']);
  });
});

describe('a processor that is behind', () => {
  /** Late from the start, as a fake clock has it. */
  const behind = (): LoadGate => {
    let now = 0;
    const admission = new LoadGate(100, () => now);
    now = 1_000;
    admission.tick();
    return admission;
  };

  it('lets new requests pass undecided, and counts them', async () => {
    const { pipeline, metrics } = await pipelineOf(`version: 1\ndefaults: {${candidates}}`, behind());
    expect(pipeline.requestHeaders(headersOf(chatHeaders), false)).toMatchObject({ kind: 'pass', metadata: { reason: 'overload' } });
    expect(await metrics.registry.metrics()).toContain('llm_proxy_passthrough_total{reason="overload"} 1');
  });

  it.each(['failClosed: true', "sensitivity: [{ name: zeus, pattern: zeus, then: { block: 'No.' } }]"])(
    'refuses them where the policy says %s',
    async (setting) => {
      const { pipeline, records, metrics } = await pipelineOf(`version: 1\ndefaults: {${candidates}, ${setting}}`, behind());
      expect(pipeline.requestHeaders(headersOf(chatHeaders), false)).toMatchObject({ kind: 'respond', status: 503 });
      expect(records).toMatchObject([{ passReason: 'overload', outcome: 'blocked', status: 503 }]);
      expect(await metrics.registry.metrics()).toContain('llm_proxy_refused_total{reason="overload"} 1');
    },
  );

  it('counts a request whose body is awaited once, however it ends', async () => {
    const admission = new LoadGate();
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {${candidates}}`, admission);
    const open = (): Extract<RequestPlan, { kind: 'read-body' }> => pipeline.requestHeaders(headersOf(chatHeaders), false) as never;
    const [read, left] = [open(), open()];
    expect(admission.open).toBe(2);
    void read.handler.take(Buffer.from(chatBody()));
    read.handler.aborted();
    left.handler.aborted();
    left.handler.aborted();
    expect(admission.open).toBe(0);
  });

  it('decides a large body that another thread reads like any other, and nothing for a client that left meanwhile', async () => {
    const bodies = new BodyReader();
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}}`, new LoadGate(0), bodies);
    const large = chatBody(`"user":"${'x'.repeat(limits.inlineBodyBytes)}",`);
    const open = (): Extract<RequestPlan, { kind: 'read-body' }> => pipeline.requestHeaders(headersOf(chatHeaders), false) as never;
    const here = forwarded(bodyOf(open(), large));
    // Until the thread has begun nothing has to wait.
    const elsewhere = await vi.waitFor(() => promised(open().handler.take(Buffer.from(large))), { timeout: 30_000, interval: 50 });
    expect(forwarded(elsewhere)).toEqual(here);
    expect(here.body).toBe(large.replace('"gpt-5.1"', '"gpt-5-nano"'));

    const leaving = open();
    const dropped = promised(leaving.handler.take(Buffer.from(large)));
    leaving.handler.aborted();
    const before = pipeline.pending;
    expect(await dropped).toEqual({ kind: 'forward' });
    expect(pipeline.pending).toBe(before);

    const unread = promised(open().handler.take(Buffer.from(large)));
    pipeline.close();
    expect(await unread).toEqual({ kind: 'forward', metadata: { reason: 'internal-error' } });
    expect(new Set(records.map(({ decision }) => decision?.served.model))).toEqual(new Set(['gpt-5-nano']));
  });
});

describe('an attempt that Sluice cannot handle', () => {
  it.each([
    ['anthropic', false, 503, 'prepare an attempt'],
    ['anthropic', true, 502, 'handle the answer'],
    ['openai', false, 503, 'prepare an attempt'],
  ] as const)('is an error of the API of an app of %s (asked: %s): %i', async (form, asked, status, words) => {
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {${candidates}}\n`);
    const { answer } = pipeline.broken({ [errorsKey]: form }, asked);
    expect(answer.headers.set).toContainEqual([':status', String(status)]);
    const body = JSON.parse(answer.body.toString()) as { type?: string; error: { message: string } };
    expect(body.error.message).toContain(words);
    expect(body.type).toBe(form === 'anthropic' ? 'error' : undefined);
    pipeline.close();
  });
});

describe('a parameter that a chosen model refuses', () => {
  const policy = `version: 1\ndefaults: {${candidates}}\n`;
  const withChains = { ...chatHeaders, [abilitiesHeader]: 'groups' };
  /** Its table entry is gone on purpose: what the model refuses is what nobody knew. */
  const body = chatBody('"odd_setting":1,');

  function refusal(bench: Bench): { readonly kind: string } {
    const plan = bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), body);
    expect(forwarded(plan).headers['x-envoy-retry-on']).toBe('retriable-headers');
    const attempt = bench.pipeline.attempt('gate', plan.metadata ?? null, null);
    const answer = attempt?.answer(headersOf({ ':status': '400', 'content-type': 'application/json' }), false);
    if (answer?.kind !== 'whole') throw new Error('the error was not read');
    return answer.judge(
      Buffer.from('{"error":{"message":"Unknown parameter: \'odd_setting\'.","param":"odd_setting","code":"unknown_parameter"}}'),
    );
  }

  it('has the requested model answer once, in a section without fallback too, and is not tried again', async () => {
    const bench = await pipelineOf(policy);
    expect(refusal(bench)).toEqual({ kind: 'retry', reason: 'unsupported-parameter' });
    const next = bench.pipeline.requestHeaders(headersOf(withChains), false);
    const second = forwarded(bodyOf(next, body));
    expect(second.body === undefined ? body : second.body).not.toContain('gpt-5-nano');
    bench.pipeline.close();
    expect(bench.records[0]!.attempts[0]).toMatchObject({ target: { model: 'gpt-5-nano' }, status: 400, reason: 'unsupported-parameter' });
    expect(bench.records[1]!.decision!.candidates[0]).toMatchObject({ disqualified: 'parameter', refused: 'odd_setting' });
    expect(explainRecord(bench.records[1]!)).toContain('it refuses a parameter of the request (odd_setting)');
  });

  it('makes no chain of a request that has none, nor where a rule chose the model', async () => {
    const bench = await pipelineOf(
      policy.replace('defaults: {', 'defaults: {overrides: [{name: small, when: {model: [gpt-5.1]}, then: {model: openai/gpt-5-nano}}], '),
    );
    expect(
      forwarded(bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), body)).headers['x-envoy-retry-on'],
    ).toBeUndefined();
    bench.pipeline.close();
    const plain = await pipelineOf(policy);
    expect(
      forwarded(bodyOf(plain.pipeline.requestHeaders(headersOf(withChains), false), chatBody())).headers['x-envoy-retry-on'],
    ).toBeUndefined();
    plain.pipeline.close();
  });

  describe('a model that an organization has to be verified to stream', () => {
    const stream = chatBody('"stream":true,');
    const unverified = Buffer.from(
      '{"error":{"message":"Your organization must be verified to stream this model.","param":"stream","code":"unsupported_value"}}',
    );
    const retries = (bench: Bench, text: string): string | undefined =>
      forwarded(bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), text)).headers['x-envoy-retry-on'];

    it('is left to the requested model', async () => {
      const bench = await pipelineOf(policy);
      const plan = bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), stream);
      const attempt = bench.pipeline.attempt('gate', plan.metadata ?? null, null);
      const answer = attempt?.answer(headersOf({ ':status': '400', 'content-type': 'application/json' }), false);
      if (answer?.kind !== 'whole') throw new Error('the error was not read');
      expect(answer.judge(unverified)).toEqual({ kind: 'retry', reason: 'model-gone' });
      bench.pipeline.close();
    });

    it('needs no chain once it has streamed', async () => {
      const bench = await pipelineOf(policy);
      const plan = bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), stream);
      const attempt = bench.pipeline.attempt('gate', plan.metadata ?? null, null);
      expect(attempt?.answer(headersOf({ ':status': '200', 'content-type': 'text/event-stream' }), false)).toEqual({ kind: 'pass' });
      expect(retries(bench, stream)).toBeUndefined();
      bench.pipeline.close();
    });

    it('is no matter for models that stream for everybody', async () => {
      const bench = await pipelineOf(policy.replaceAll('gpt-5-nano', 'gpt-4.1-nano'));
      expect(retries(bench, stream)).toBeUndefined();
      bench.pipeline.close();
    });
  });

  it('writes the limit on the answer in the chosen model’s words, and records that', async () => {
    const bench = await pipelineOf(policy.replace('defaults: {', 'defaults: {fallback: {tiers: {simple: [openai/gpt-4.1-nano]}}, '));
    const plan = bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), chatBody('"max_tokens":50,'));
    // Each attempt makes its own request of what the app sent.
    expect(forwarded(plan).body).toBeUndefined();
    const attempt = bench.pipeline.attempt('next', plan.metadata ?? null, null)!;
    const made = attempt.request(Buffer.from(chatBody('"max_tokens":50,')));
    if (made.kind !== 'forward' || made.body === undefined) throw new Error('not forwarded');
    expect(Buffer.concat([made.body].flat()).toString()).toContain('"max_completion_tokens":50');
    bench.pipeline.close();
    expect(bench.records[0]!.attempts.at(-1)).toMatchObject({ adapted: ['max_tokens → max_completion_tokens'] });
  });
});

describe('a section with a pattern for sensitive data, or that is fail-closed', () => {
  const block = "sensitivity: [{ name: zeus, pattern: 'project zeus', ignoreCase: true, then: { block: 'No.' } }]";
  const text = 'about project zeus';
  const zeus = `{"model":"gpt-5.1","messages":[{"role":"user","content":"${text}"}]}`;
  const answer = async (
    policy: string,
    headers: Readonly<Record<string, string>>,
    body: string | Buffer,
  ): Promise<readonly [string | number, ExchangeRecord | undefined, BodyPlan | RequestPlan]> => {
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}, ${policy}}\n`);
    const asked = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...headers }), body.length === 0);
    const plan = asked.kind === 'read-body' ? asked.handler.take(Buffer.from(body)) : asked;
    if (plan.kind === 'later') throw new Error('nothing here has to wait');
    pipeline.close();
    return [plan.kind === 'respond' ? plan.status : plan.kind, records[0], plan];
  };

  it.each<readonly [string, Readonly<Record<string, string>>, string | Buffer, number]>([
    ['a pattern', {}, zeus, 403],
    ['text/plain', { 'content-type': 'text/plain' }, zeus, 403],
    ['gzip', { 'content-encoding': 'gzip' }, gzipSync(zeus), 403],
    ['deflate', { 'content-encoding': 'deflate' }, deflateSync(zeus), 403],
    ['bare deflate', { 'content-encoding': 'deflate' }, deflateRawSync(zeus), 403],
    ['br', { 'content-encoding': 'br' }, brotliCompressSync(zeus), 403],
    ['zstd', { 'content-encoding': 'zstd' }, zstdCompressSync(zeus), 403],
    ['two encodings', { 'content-encoding': 'gzip, br' }, brotliCompressSync(gzipSync(zeus)), 403],
    ['an encoding that lies', { 'content-encoding': 'gzip' }, zeus, 415],
    ['an unknown encoding', { 'content-encoding': 'compress' }, zeus, 415],
    ['a byte order mark', {}, `\ufeff${zeus}`, 403],
    ['UTF-16', {}, Buffer.from(zeus, 'utf16le'), 400],
    ['NaN', {}, zeus.replace('{', '{"temperature":NaN,'), 400],
    ['a lone surrogate', {}, zeus.replace('zeus', 'zeus \\ud83d'), 400],
    ['deep nesting', {}, zeus.replace('{', `{"a":${'['.repeat(600)}${']'.repeat(600)},`), 400],
    ['no model', {}, zeus.replace('"model":"gpt-5.1",', ''), 400],
    ['model null', {}, zeus.replace('"gpt-5.1"', 'null'), 400],
    ['model null, then a name', {}, zeus.replace('{', '{"model":null,'), 403],
    ['a name, then model null', {}, zeus.replace('"messages"', '"model":null,"messages"'), 400],
    ['a form', { 'content-type': 'multipart/form-data; boundary=B' }, 'x', 400],
    ['two slashes', { ':path': '/v1//chat/completions' }, zeus, 403],
    ['a slash at the end', { ':path': '/v1/chat/completions/' }, zeus, 403],
    ['an escaped slash', { ':path': '/v1/chat%2Fcompletions' }, zeus, 403],
    ['an escaped letter', { ':path': '/v1/chat/completion%73' }, zeus, 403],
    ['upper case', { ':path': '/v1/CHAT/Completions' }, zeus, 403],
    ['dots', { ':path': '/v1/x/../chat/./completions' }, zeus, 403],
    ['a path that is not known', { ':path': '/v1/whatever' }, zeus, 404],
    ['a file', { ':path': '/v1/files', 'content-type': 'multipart/form-data; boundary=B' }, `--B\r\n\r\n${text}`, 403],
    ['an image', { ':path': '/v1/images/generations' }, `{"prompt":"${text}"}`, 403],
    ['speech', { ':path': '/v1/audio/speech' }, `{"input":"${text}"}`, 403],
    ['a conversation', { ':path': '/v1/conversations' }, `{"items":[{"content":"${text}"}]}`, 403],
    ['compaction', { ':path': '/v1/responses/compact' }, `{"input":"${text}"}`, 403],
    ['a thread', { ':path': '/v1/threads/t/messages' }, `{"role":"user","content":"${text}"}`, 403],
    ['a batch', { ':path': '/v1/messages/batches' }, `{"requests":[{"params":{"system":"${text}"}}]}`, 403],
    [
      'an escaped colon',
      { ':path': '/v1beta/models/gemini-2.5-flash%3AgenerateContent' },
      `{"contents":[{"parts":[{"text":"${text}"}]}]}`,
      403,
    ],
    ['Gemini’s tokens', { ':path': '/v1beta/models/gemini-2.5-flash:countTokens' }, `{"contents":[{"parts":[{"text":"${text}"}]}]}`, 403],
    [
      'Gemini’s embeddings',
      { ':path': '/v1beta/models/gemini-embedding-001:embedContent' },
      `{"content":{"parts":[{"text":"${text}"}]}}`,
      403,
    ],
    ['a body that is too large', { 'content-length': String(limits.requestBodyBytes + 1) }, zeus, 413],
    ['a WebSocket', { ':method': 'GET', upgrade: 'websocket', ':path': '/v1/realtime' }, '', 403],
    ['route off', { 'x-sluice-route': 'off' }, zeus, 403],
  ])('refuses %s in the words of the API, and records it', async (_name, headers, body, status) => {
    for (const policy of [block, `failClosed: true, ${block}`]) {
      const [came, record, plan] = await answer(policy, headers, body);
      expect(came).toBe(status);
      expect(record).toMatchObject({ outcome: 'blocked', status });
      expect(JSON.stringify(record)).not.toContain('zeus today');
      expect(JSON.parse((plan as BodyPlan & { kind: 'respond' }).body.toString())).toHaveProperty('error');
    }
  });

  it.each<readonly [string, Readonly<Record<string, string>>, string | Buffer]>([
    ['a compressed body', { 'content-encoding': 'gzip' }, gzipSync(chatBody())],
    ['a body with a mark', {}, `\ufeff${chatBody()}`],
  ])('decides %s, and sends on what it has read', async (_name, headers, body) => {
    const [kind, record, plan] = await answer(block, headers, body);
    expect([kind, record?.decision?.served.model]).toEqual(['forward', 'gpt-5-nano']);
    const sent = forwarded(plan as BodyPlan);
    expect(sent.body).toBe(chatBody().replace('gpt-5.1', 'gpt-5-nano'));
    expect(sent.headers['content-type']).toBe('application/json');
    expect(sent.remove).toContain('content-encoding');
  });

  it.each<readonly [string, Readonly<Record<string, string>>, string]>([
    ['a question', {}, chatBody()],
    ['an image’s prompt', { ':path': '/v1/images/generations' }, '{"prompt":"a cat"}'],
    ['a file', { ':path': '/v1/files', 'content-type': 'multipart/form-data; boundary=B' }, '--B\r\n\r\nhello'],
  ])('refuses the beginning of %s whose length nobody said, however well it reads', async (_name, headers, body) => {
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}, ${block}}\n`);
    const asked = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...headers }), false);
    expect(asked).toMatchObject({ kind: 'read-body', beginning: true });
    const plan = (asked as RequestPlan & { kind: 'read-body' }).handler.take(Buffer.from(`${body}   `), true);
    expect(plan).toMatchObject({ kind: 'respond', status: 413 });
    expect(records[0]).toMatchObject({ outcome: 'blocked', status: 413, passReason: 'too-large' });
    pipeline.close();
  });

  it.each<readonly [string, string, string, string]>([
    ['lets the beginning of a question pass where nothing must be read', '', '/v1/chat/completions', 'forward'],
    ['refuses the beginning of a call that may name a banned model', 'bans', '/v1/audio/transcriptions', 'respond'],
    ['lets the beginning of a file pass where a model is banned', 'bans', '/v1/files', 'forward'],
  ])('%s', async (_name, bans, path, kind) => {
    const rules = bans === '' ? '' : ", rules: [{ name: no, when: 'request.model == \"gpt-5.1\"', then: { block: 'No.' } }]";
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {${candidates}${rules}}\n`);
    const type = path.includes('chat') ? 'application/json' : 'multipart/form-data; boundary=B';
    const asked = pipeline.requestHeaders(headersOf({ ...chatHeaders, ':path': path, 'content-type': type }), false);
    const body = path.includes('chat') ? chatBody().slice(0, -5) : '--B\r\nContent-Disposition: form-data; name="file"\r\n\r\nhello';
    const plan = asked.kind === 'read-body' ? asked.handler.take(Buffer.from(body), true) : asked;
    expect(plan.kind === 'pass' ? 'forward' : plan.kind).toBe(kind);
    pipeline.close();
  });

  it('decides a body with a mark where nothing is looked for, too', async () => {
    const [kind, record, plan] = await answer('', {}, `\ufeff${chatBody()}`);
    expect([kind, record?.decision?.served.model]).toEqual(['forward', 'gpt-5-nano']);
    expect(forwarded(plan as BodyPlan).body).toBe(chatBody().replace('gpt-5.1', 'gpt-5-nano'));
  });

  it('decides JSON that calls itself text', async () => {
    const [kind, record] = await answer(block, { 'content-type': 'text/plain' }, chatBody());
    expect([kind, record?.decision?.served.model]).toEqual(['forward', 'gpt-5-nano']);
  });

  it.each<readonly [string, Readonly<Record<string, string>>, string]>([
    ['a list of files', { ':method': 'GET', ':path': '/v1/files' }, ''],
    ['an upload that holds nothing', { ':path': '/v1/files', 'content-type': 'multipart/form-data; boundary=B' }, '--B\r\n\r\nhello'],
    ['an image’s prompt', { ':path': '/v1/images/generations' }, '{"prompt":"a cat"}'],
  ])('lets %s pass, and records it', async (_name, headers, body) => {
    const [kind, record] = await answer(`failClosed: true, ${block}`, headers, body);
    expect(['pass', 'forward']).toContain(kind);
    expect(record).toMatchObject({ kind: 'observed', outcome: 'unobserved' });
  });

  it('keeps nothing of a text that it sends to a secure model', async () => {
    const [kind, record] = await answer(
      'prompts: {capture: truncate, units: 100}, cache: {mode: on}, sensitivity: [{ name: zeus, pattern: zeus, then: { model: openai/gpt-5-mini } }]',
      {},
      zeus,
    );
    expect(kind).toBe('forward');
    expect(record).toMatchObject({ decision: { reason: 'sensitivity' }, cache: 'off', request: { promptStart: null, promptHash: null } });
    expect(JSON.stringify(record)).not.toContain(text);
  });

  it('lets a WebSocket pass where the policy allows it, and records it', async () => {
    const [kind, record] = await answer(
      `websockets: allow, ${block}`,
      { ':method': 'GET', upgrade: 'websocket', ':path': '/v1/realtime' },
      '',
    );
    expect([kind, record?.passReason]).toEqual(['pass', 'upgrade']);
  });
});

describe('every attempt counts', () => {
  const policy = `version: 1\ndefaults: {${candidates}, tiers: [], fallback: {models: {gpt-5.1: [openai/gpt-4.1]}, on: [reset, timeout, server-error, stream-error, empty]}}\n`;
  const streamed = chatBody('"stream":true,');

  async function begun(body: string, roles: 'gate' | 'stream') {
    const bench = await pipelineOf(policy);
    const plan = bodyOf(bench.pipeline.requestHeaders(headersOf({ ...chatHeaders, [abilitiesHeader]: 'groups' }), false), body);
    let role: FilterRole = roles;
    const next = (): Attempt => {
      const attempt = bench.pipeline.attempt(role, plan.metadata ?? null, null);
      // The filter of the first attempt begins none.
      if (role === 'gate') role = 'next';
      if (attempt === null) throw new Error('unknown');
      return attempt;
    };
    const answered = (status: string): void => {
      const read = bench.pipeline.responseHeaders(
        headersOf({ ':status': status, 'content-type': 'text/plain' }),
        plan.metadata ?? null,
        false,
      );
      if (read.kind === 'read') read.observer.end(true, false);
      bench.pipeline.close();
    };
    return { bench, next, answered };
  }

  it.each([
    ['sent headers and then nothing', []],
    ['sent comments and never an event', [': wait\n\n', ': wait\n\n']],
  ])('also one that %s', async (_what, sent) => {
    const { bench, next, answered } = await begun(streamed, 'stream');
    const first = next();
    first.request(Buffer.from(streamed));
    const plan = first.answer(headersOf({ ':status': '200', 'content-type': 'text/event-stream' }), false);
    if (plan.kind !== 'relay') throw new Error('not relayed');
    for (const bytes of sent) expect(plan.relay.push(Buffer.from(bytes))).toEqual({ kind: 'hold' });
    const second = next();
    second.request(Buffer.from(streamed));
    second.answer(headersOf({ ':status': '400', 'content-type': 'application/json' }), true);
    answered('400');
    expect(bench.records[0]!.attempts.map(({ status, outcome, reason }) => ({ status, outcome, reason }))).toEqual([
      { status: 200, outcome: 'cut', reason: 'reset' },
      { status: 400, outcome: 'provider-error', reason: null },
    ]);
    expect(bench.records[0]!.cost).toEqual({ known: false, reason: 'attempt' });
  });

  const pageHeaders = { ':status': '200', 'content-type': 'text/html' };
  const page = Buffer.from('<html>sign in</html>');

  it.each([
    ['nothing', { ':status': '200', 'content-type': 'application/json', 'content-length': '0' }, true],
    ['nothing, as a redirect', { ':status': '302', location: '/login' }, true],
    ['events that were not asked for', { ':status': '200', 'content-type': 'text/event-stream' }, false],
  ])('also one that sent %s', async (_what, headers, endOfStream) => {
    const { next } = await begun(chatBody(), 'gate');
    const first = next();
    first.request(Buffer.from(chatBody()));
    expect(first.answer(headersOf(headers), endOfStream)).toEqual({ kind: 'retry', reason: 'server-error' });
  });

  it.each([
    ['a page', pageHeaders, page],
    ['half an answer', { ':status': '200', 'content-type': 'application/json' }, Buffer.from('{"id":"a","choi')],
    ['nothing', { ':status': '200', 'content-type': 'application/json' }, null],
  ])('where the last one sent %s, the app gets an error of its API', async (_what, headers, body) => {
    const { bench, next, answered } = await begun(chatBody(), 'gate');
    const judged = (sent: Readonly<Record<string, string>>, bytes: Buffer | null): AnswerPass | AnswerRetry => {
      const attempt = next();
      attempt.request(Buffer.from(chatBody()));
      const plan = attempt.answer(headersOf(sent), bytes === null);
      if (plan.kind === 'relay') throw new Error('relayed');
      return plan.kind === 'whole' ? plan.judge(bytes ?? Buffer.alloc(0)) : plan;
    };
    expect(judged(pageHeaders, page)).toMatchObject({ kind: 'retry' });
    const last = judged(headers, body);
    if (last.kind !== 'pass') throw new Error(last.kind);
    expect(last.headers?.set).toContainEqual([':status', '502']);
    expect(JSON.parse(last.body!.toString())).toMatchObject({ error: { message: 'openai sent no answer that can be read.' } });
    answered('502');
    expect(bench.records[0]!.attempts.map(({ reason }) => reason)).toEqual(['server-error', 'server-error']);
    expect(bench.records[0]).toMatchObject({ outcome: 'provider-error', cost: { known: false } });
  });

  it('holds no comments of the last one, whose answer nobody else could give', async () => {
    const { bench, next } = await begun(streamed, 'stream');
    next();
    const last = next();
    last.request(Buffer.from(streamed));
    const plan = last.answer(headersOf({ ':status': '200', 'content-type': 'text/event-stream' }), false);
    if (plan.kind !== 'relay') throw new Error('not relayed');
    expect(plan.relay.push(Buffer.from(': wait\n\n'))).toEqual({ kind: 'go', bytes: Buffer.from(': wait\n\n') });
    bench.pipeline.close();
  });
});

describe('traffic that is not decided', () => {
  it.each([
    [
      { ':method': 'GET', ':path': '/v1/models?limit=2' },
      { method: 'GET', path: '/v1/models', about: 'models', reads: true },
      { known: true, usd: 0 },
    ],
    [
      { ':method': 'POST', ':path': '/v1/images/generations' },
      { method: 'POST', path: '/v1/images/generations', about: 'images', reads: false },
      { known: false, reason: 'model' },
    ],
  ])('has a name, and a listing costs nothing: %j', async (line, call, cost) => {
    const { pipeline, records } = await pipelineOf('version: 1\n');
    pipeline.requestHeaders(headersOf({ ...chatHeaders, ...line }), line[':method'] === 'GET');
    pipeline.close();
    expect(records[0]).toMatchObject({ kind: 'observed', call });
    if (cost.known) expect(records[0]!.cost).toEqual(cost);
    else expect(records[0]!.cost.known).toBe(false);
    expect(explainRecord(records[0]!)).toContain(`called      ${call.method} ${call.path} (${call.about})`);
  });
});

describe('a call that is only observed', () => {
  const ban = 'defaults: {overrides: [{ name: dear, when: { model: [gpt-4.1] }, then: { block: "Not this model." } }]}\n';
  const form = (model: string): string =>
    `--B\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n--B\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\nxx\r\n--B--\r\n`;
  const multipart = { 'content-type': 'multipart/form-data; boundary=B' };

  it.each<readonly [string, Record<string, string>, string]>([
    ['speech', { ':path': '/v1/audio/speech' }, '{"model":"gpt-4.1","input":"x"}'],
    ['a name in other letters', { ':path': '/v1/images/generations' }, '{"model":"gpt-4.1-2025-04-14","prompt":"x"}'],
    ['a form', { ':path': '/v1/audio/transcriptions', ...multipart }, form('gpt-4.1')],
    ['a session inside', { ':path': '/v1/realtime/client_secrets' }, '{"session":{"type":"realtime","model":"gpt-4.1"}}'],
    ['lines of a batch', { ':path': '/v1/files', ...multipart }, '--B\r\n\r\n{"custom_id":"a","body":{"model":"gpt-4.1"}}\r\n--B--'],
    [
      'a compressed body',
      { ':path': '/v1/moderations', 'content-encoding': 'gzip' },
      gzipSync('{"model":"gpt-4.1","input":"x"}').toString('latin1'),
    ],
  ])('is refused for a banned model: %s', async (_what, head, body) => {
    const { pipeline, records } = await pipelineOf(`version: 1\n${ban}`);
    const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...head }), false);
    if (plan.kind !== 'read-body') throw new Error('the body was not asked for');
    const refused = plan.handler.take(Buffer.from(body, 'latin1'));
    expect(refused).toMatchObject({ kind: 'respond', status: 403 });
    expect((refused as BodyPlan & { kind: 'respond' }).body.toString()).toContain('Not this model.');
    expect(records).toMatchObject([{ outcome: 'blocked', cost: { known: true, usd: 0 } }]);
    pipeline.close();
  });

  it('is refused for a banned model that the path or the query names, in the words of its API', async () => {
    const { pipeline } = await pipelineOf(
      'version: 1\ndefaults: {websockets: allow, overrides: [{ name: dear, when: { model: [gpt-realtime, imagen-4] }, then: { block: "Not this model." } }]}\n',
    );
    const socket = { ':method': 'GET', ':path': '/v1/realtime?model=gpt-realtime', upgrade: 'websocket' };
    expect(pipeline.requestHeaders(headersOf({ ...chatHeaders, ...socket }), false)).toMatchObject({ kind: 'respond', status: 403 });
    const google = pipeline.requestHeaders(
      headersOf({ ...chatHeaders, ':path': '/v1beta/models/imagen-4:predict', 'x-goog-api-key': 'k' }),
      false,
    );
    expect(google).toMatchObject({ kind: 'respond', status: 403 });
    expect((google as RequestPlan & { kind: 'respond' }).body.toString()).toContain('"PERMISSION_DENIED"');
    pipeline.close();
  });

  it('goes on with another model, as it came, and is not read where nothing is banned', async () => {
    const { pipeline, records } = await pipelineOf(`version: 1\n${ban}`);
    const speech = { ...chatHeaders, ':path': '/v1/audio/speech' };
    expect(bodyOf(pipeline.requestHeaders(headersOf(speech), false), '{"model":"tts-1","input":"gpt-4.1"}')).toMatchObject({
      kind: 'forward',
    });
    expect(pipeline.requestHeaders(headersOf({ ...chatHeaders, ':method': 'GET', ':path': '/v1/models' }), true).kind).toBe('pass');
    pipeline.close();
    expect(records).toHaveLength(2);
    const open = await pipelineOf('version: 1\n');
    expect(open.pipeline.requestHeaders(headersOf(speech), false).kind).toBe('pass');
    open.pipeline.close();
  });

  describe('counts in the rate limits and budgets of its caller', () => {
    const speech = headersOf({ ...chatHeaders, ':path': '/v1/audio/speech' });
    const text = (plan: RequestPlan): string => (plan as RequestPlan & { kind: 'respond' }).body.toString();

    it.each<readonly [string, Record<string, string>, string | null]>([
      ['speech', { ':path': '/v1/audio/speech' }, null],
      ['rerank', { ':path': '/v1/rerank' }, null],
      ['a batch', { ':path': '/v1/batches' }, '{"input_file_id":"f"}'],
      ['a WebSocket', { ':method': 'GET', ':path': '/v1/realtime?model=gpt-realtime', upgrade: 'websocket' }, null],
      ['an unknown path', { ':path': '/v1/unknown' }, null],
      ['a body that is no JSON by its type', { 'content-type': 'text/plain' }, null],
      ['a body that cannot be read', {}, 'no json'],
    ])('as one request: %s', async (_what, head, body) => {
      const { pipeline, records } = await pipelineOf(
        'version: 1\nlimits: [{ name: few, per: [workspace], requests: { day: 1 } }]\ndefaults: {tiers: [], websockets: allow}\n',
      );
      const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...head }), false);
      expect(body === null ? plan.kind : bodyOf(plan, body).kind).toBe(body === null ? 'pass' : 'forward');
      const refused = pipeline.requestHeaders(speech, false);
      expect(refused).toMatchObject({ kind: 'respond', status: 429 });
      expect(text(refused)).toContain('"rate_limit_exceeded"');
      expect((refused as RequestPlan & { kind: 'respond' }).headers).toContainEqual(['x-ratelimit-remaining-requests', '0']);
      expect(pipeline.requestHeaders(headersOf({ ...chatHeaders, ':method': 'GET', ':path': '/v1/files' }), true).kind).toBe('pass');
      pipeline.close();
      expect(records.filter(({ outcome }) => outcome === 'blocked')).toMatchObject([{ limits: [{ limit: 'few', action: 'refused' }] }]);
      expect(records.some(({ kind, limits }) => kind === 'observed' && limits?.[0]?.action === 'counted')).toBe(true);
    });

    it('with unknown tokens and cost, which are not zero, once for each request of a batch', async () => {
      const { pipeline, records } = await pipelineOf(
        'version: 1\nlimits: [{ name: words, tokens: { day: 1000 }, unknown: 100 }]\nbudgets: [{ name: money, period: day, usd: 10, unknown: 1, hard: {} }]\ndefaults: {tiers: []}\n',
      );
      const batch = headersOf({ ...chatHeaders, ':path': '/v1/messages/batches', 'x-api-key': 'k', 'anthropic-version': '2023-06-01' });
      const four = JSON.stringify({ requests: Array.from({ length: 4 }, (_, at) => ({ custom_id: `${at}`, params: {} })) });
      expect(bodyOf(pipeline.requestHeaders(batch, false), four).kind).toBe('forward');
      expect(pipeline.requestHeaders(speech, false).kind).toBe('pass');
      expect(bodyOf(pipeline.requestHeaders(batch, false), four).kind).toBe('forward');
      expect(text(bodyOf(pipeline.requestHeaders(batch, false), four) as RequestPlan)).toContain('money');
      // What is free counts as nothing.
      const file = headersOf({ ...chatHeaders, ':path': '/v1/files', 'content-type': 'multipart/form-data; boundary=B' });
      expect(pipeline.requestHeaders(file, false).kind).toBe('pass');
      pipeline.close();
      expect(
        records.filter(({ outcome }) => outcome !== 'blocked').map(({ budgets, limits }) => [budgets[0]?.reserved, limits?.[0]?.reserved]),
      ).toEqual([
        [4, 400],
        [1, 100],
        [4, 400],
        [0, 0],
      ]);
    });

    it('by its model, for which its body is read then', async () => {
      const { pipeline } = await pipelineOf(
        'version: 1\nlimits: [{ name: pictures, match: { model: [openai/gpt-image-1] }, requests: { day: 1 } }]\ndefaults: {tiers: []}\n',
      );
      const image = (model: string): string =>
        bodyOf(
          pipeline.requestHeaders(headersOf({ ...chatHeaders, ':path': '/v1/images/generations' }), false),
          JSON.stringify({ model, prompt: 'a cat' }),
        ).kind;
      expect(['gpt-image-1', 'dall-e-3', 'gpt-image-1', 'dall-e-3'].map(image)).toEqual(['forward', 'forward', 'respond', 'forward']);
      pipeline.close();
    });

    it('and is refused in none where the section only watches', async () => {
      const { pipeline, records } = await pipelineOf(
        'version: 1\nlimits: [{ name: few, requests: { day: 1 } }]\ndefaults: {mode: shadow}\n',
      );
      for (let i = 0; i < 3; i++) expect(pipeline.requestHeaders(speech, false).kind).toBe('pass');
      pipeline.close();
      expect(records.map(({ limits }) => limits?.[0]?.action)).toEqual(['counted', 'over', 'over']);
    });
  });
});

describe('apps without keys', () => {
  const canaries = { authorization: 'Bearer canary', 'x-api-key': 'canary', cookie: 'canary', 'x-customer-key': 'canary' };
  const policy = (more = ''): string =>
    `version: 1\nproviders: {openai: {credentialFile: "${keyFile}"}}\ndefaults: {credentials: gateway, tiers: []${more}}\n`;
  /** What of the app's keys is left when the changes are made, and the key that goes. */
  const sent = (
    changes: { readonly set: readonly (readonly [string, string])[]; readonly remove: readonly string[] } | undefined,
  ): readonly [string | undefined, readonly string[]] => {
    const set = new Map(changes?.set);
    return [set.get('authorization'), Object.keys(canaries).filter((name) => !set.has(name) && changes?.remove.includes(name) !== true)];
  };

  it('get the gateway’s key at their own provider, and theirs never leaves', async () => {
    for (const more of ['', ', fallback: {models: {gpt-5.1: [openai/gpt-5-mini]}}']) {
      const { pipeline } = await pipelineOf(policy(more));
      const headers = headersOf({ ...chatHeaders, ...canaries, ':path': '/openai-api/v1/chat/completions?key=canary' });
      const plan = bodyOf(pipeline.requestHeaders(headers, false), chatBody());
      expect(sent((plan as BodyPlan & { kind: 'forward' }).headers)).toEqual(['Bearer gateway-key', []]);
      expect(forwarded(plan).headers[':path']).toMatch(/\/v1\/chat\/completions$/);
      pipeline.close();
    }
  });

  it('get it for what is not read, too', async () => {
    const { pipeline } = await pipelineOf(policy());
    const heads = [
      { ':method': 'GET', ':path': '/v1/models' },
      { ':path': '/v1/unknown' },
      { ':path': '/v1/files', 'content-type': 'multipart/form-data' },
      { ':method': 'GET', ':path': '/v1/realtime', upgrade: 'websocket' },
      { 'content-type': 'text/plain' },
    ];
    for (const head of heads) {
      const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...canaries, ...head }), false);
      expect([head, plan.kind === 'pass' ? sent(plan.headers) : plan]).toEqual([head, ['Bearer gateway-key', []]]);
    }
    const broken = bodyOf(pipeline.requestHeaders(headersOf({ ...chatHeaders, ...canaries }), false), 'no json');
    expect(sent((broken as BodyPlan & { kind: 'forward' }).headers)).toEqual(['Bearer gateway-key', []]);
    pipeline.close();
  });

  it('are refused where there is no key', async () => {
    const { pipeline, records } = await pipelineOf(policy().replace('openai: {', 'mistral: {'));
    expect(pipeline.requestHeaders(headersOf(chatHeaders), false)).toMatchObject({ kind: 'respond', status: 503 });
    expect(records).toMatchObject([{ passReason: 'no-gateway-key', outcome: 'blocked' }]);
    pipeline.close();
  });
});
