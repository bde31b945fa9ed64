import { emptyBudgets } from '../../budgets/open.ts';
import { ResponseCache } from '../../cache/cache.ts';
import { loadCatalog } from '../../catalog/index.ts';
import { MemoryGate } from '../memory-gate.ts';
import { OutputTokens } from '../../router/output/tokens.ts';
import type { BodyPlan, RequestPlan } from '../plans.ts';
import type { HeaderMap } from '../../lib/headers.ts';
import { compilePolicy } from '../../policy/compile.ts';
import type { PolicySnapshot } from '../../policy/types.ts';
import { Metrics } from '../../record/metrics.ts';
import type { ExchangeRecord } from '../../record/types.ts';
import { Cooldowns } from '../../route/cooldowns.ts';
import { Pools } from '../../route/pools.ts';
import { LoadGate } from '../load-gate.ts';
import { Credentials } from '../credentials.ts';
import { Pipeline, type PipelineOptions } from '../gateway.ts';

const catalog = await loadCatalog();

/** Headers of a request or an answer. */
export function headersOf(fields: Readonly<Record<string, string>>): HeaderMap {
  return { get: (name) => fields[name], entries: () => Object.entries(fields) };
}

/** Headers of a chat at OpenAI's API. */
export const chatHeaders = {
  ':method': 'POST',
  ':path': '/v1/chat/completions',
  ':authority': 'gateway',
  'content-type': 'application/json',
  authorization: 'Bearer app-key',
};
/** A short question for gpt-5.1, with more members. */
export const chatBody = (more = ''): string => `{"model":"gpt-5.1",${more}"messages":[{"role":"user","content":"What is a CDN?"}]}`;

/** A policy's candidates of three tiers. */
export const candidates = 'candidates: {simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1]}';

/** A pipeline without an Envoy, and what it told. */
export interface Bench {
  readonly pipeline: Pipeline;
  readonly records: ExchangeRecord[];
  readonly errors: object[];
  readonly metrics: Metrics;
  readonly generation: PolicySnapshot;
}

type Parts = Partial<Pick<PipelineOptions, 'admission' | 'bodies' | 'memory' | 'embedder' | 'router'>>;

/** A pipeline with this policy; parts that are absent do nothing. */
export async function pipelineOf(policy: string, parts: Parts = {}): Promise<Bench> {
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
    memory: parts.memory ?? new MemoryGate(null),
    credentials,
    cooldowns: new Cooldowns(),
    trials: null,
    pools: new Pools(),
    shadows: null,
    sessions: null,
    embedder: parts.embedder ?? null,
    grader: null,
    feedback: null,
    router: parts.router ?? null,
    budgets: emptyBudgets(),
    learner: null,
    outputs: new OutputTokens(),
    sink: { record: (record) => records.push(record) },
    metrics,
    admission: parts.admission ?? new LoadGate(0),
    bodies: parts.bodies ?? null,
    log: { error: (fields) => errors.push(fields), debug: () => undefined },
  });
  return { pipeline, records, errors, metrics, generation };
}

/** The plan for a body that nothing has to wait for. */
export function bodyOf(plan: RequestPlan, body: string): BodyPlan {
  if (plan.kind !== 'read-body') throw new Error(`the body was not asked for: ${JSON.stringify(plan)}`);
  const answer = plan.handler.take(Buffer.from(body));
  if (answer.kind === 'later') throw new Error('nothing here has to wait');
  return answer;
}

/** A plan for which Envoy is asked to wait. */
export async function promised(planned: ReturnType<(RequestPlan & { kind: 'read-body' })['handler']['take']>): Promise<BodyPlan> {
  if (planned.kind !== 'later' || planned.ms === 0) throw new Error('nothing has to wait');
  const plan = await planned.result;
  if (plan.kind === 'later') throw new Error('nothing has to wait twice');
  return plan;
}

/** What goes on to the provider. */
export function forwarded(plan: BodyPlan): {
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
