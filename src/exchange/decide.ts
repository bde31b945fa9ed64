import { neutralDrops } from '../apis/translate.ts';
import type { DialectFamily, ParsedRequest } from '../apis/types.ts';
import type { Budgets } from '../budgets/budgets.ts';
import { textFeatures, type TextFeatures } from '../classify/features.ts';
import type { Embedded } from '../classify/embedding/embedder.ts';
import { classifyRequest, withSaidTask } from '../classify/index.ts';
import type { Verdict } from '../classify/types.ts';
import type { PolicySnapshot, TargetRef } from '../policy/types.ts';
import { targetName } from '../lib/target-name.ts';
import type { DecideInput, Obstacle } from '../route/types.ts';
import type { ModelsVerdict } from '../router/candidates/types.ts';
import { judge, type RouterVerdict } from '../router/model/verdict.ts';
import type { RouterView } from '../router/online/learner.ts';
import { templateOf } from '../router/online/template.ts';
import type { LearningMark } from '../router/online/types.ts';
import type { ExpectedOutput, OutputKey } from '../router/output/tokens.ts';
import type { SessionView } from '../sessions/types.ts';
import { userOf } from './caller.ts';
import { obstaclesTo } from './chain/crossing.ts';
import { compareModels, compares, type Compared } from './compare-models.ts';
import type { ReadRequest, RequestContext } from './context.ts';
import type { RequestServices } from './services.ts';

/** What was found out before a request is classified: its conversation, and its prompt's vector. */
export interface Found {
  readonly session: SessionView | null;
  readonly embedded: Embedded | null;
}

/** The input of a decision, which is about a request that was read and classified. Its methods ask the services when `decide` does. */
export class Question implements DecideInput {
  readonly exchange: ParsedRequest;
  readonly verdict: Verdict;
  readonly session: SessionView | null;
  readonly learned: RouterVerdict | null;
  readonly models: ModelsVerdict | null;
  readonly learning: LearningMark | null;
  /** Null if no models are compared. */
  readonly compared: Compared | null;
  readonly outputKey: OutputKey | undefined;
  readonly overBudget: DecideInput['overBudget'];
  readonly overLimit: DecideInput['overLimit'];
  readonly #request: ReadRequest;
  readonly #context: RequestContext;
  readonly #services: RequestServices;
  /** What an API accepts depends on the model: the answers for each target that a chain could cross to. */
  #obstacles: Map<string, readonly Obstacle[]> | null = null;

  /** Classifies the request and gathers the inputs that every decision needs. */
  constructor(request: ReadRequest, services: RequestServices, { session, embedded }: Found) {
    const { context, exchange } = request;
    const { section, caller } = context;
    this.#request = request;
    this.#context = context;
    this.#services = services;
    this.exchange = exchange;
    this.session = session;
    const over = overOf(context, exchange, services.budgets);
    this.overBudget = over.overBudget;
    this.overLimit = over.overLimit;
    const verdict = withSaidTask(
      classifyRequest(exchange, embedded === null ? section.classifier : { ...section.classifier, embedded }),
      caller.task,
    );
    this.verdict = verdict;
    const kind = verdict.classifiedTask ?? verdict.task;
    this.outputKey =
      services.outputs === undefined || exchange.operation !== 'generate'
        ? undefined
        : { template: templateOf(exchange, kind), kind, units: exchange.lastUser.length };
    const expected = expectedOf(request, services, verdict, this.outputKey);
    this.learned = expected.learned;
    this.compared = expected.compared;
    this.models = expected.compared?.verdict ?? null;
    this.learning = expected.learning;
  }

  get forced(): RequestContext['forced'] {
    return this.#context.forced;
  }

  get caller(): DecideInput['caller'] {
    return this.#context.caller;
  }

  get provider(): DecideInput['provider'] {
    return this.#context.provider;
  }

  get section(): DecideInput['section'] {
    return this.#context.section;
  }

  get generation(): DecideInput['generation'] {
    return this.#context.generation;
  }

  get keepModel(): boolean {
    return this.#context.routeOff;
  }

  get sensitive(): readonly boolean[] | undefined {
    return this.#context.inspection?.matched;
  }

  get pools(): RequestServices['pools'] {
    return this.#services.pools;
  }

  hasCredential(name: string): boolean {
    return this.#services.credentials.has(name, this.#context.section);
  }

  inEnvoy(name: string): boolean {
    const { envoy, generation } = this.#context;
    // If a chain's targets are endpoints of one cluster, no provider-specific filter can sign.
    if (envoy.attemptEndpoints && anySigned(generation) && generation.providers.get(name)?.signing !== null) return false;
    return this.#services.inEnvoy?.(name) !== false;
  }

  refusals(name: string, model: string): ReadonlySet<string> | null {
    return this.#services.refusals?.of(name, model) ?? null;
  }

  cooling(target: TargetRef): boolean {
    return this.#services.cooldowns.cooling(target, target.provider === this.#context.provider.name);
  }

  outputTokens({ provider, model }: TargetRef, assumed: number): ExpectedOutput | null {
    const { outputs } = this.#services;
    return outputs === undefined || this.outputKey === undefined
      ? null
      : outputs.expected(targetName(provider, model), this.outputKey, assumed);
  }

  canTranslate(target: TargetRef, family: DialectFamily): boolean {
    return this.#context.envoy.chains && this.obstacles(target, family).length === 0;
  }

  obstacles({ provider, model }: TargetRef, family: DialectFamily): readonly Obstacle[] {
    const { section, generation } = this.#context;
    const name = targetName(provider, model);
    const known = (this.#obstacles ??= new Map<string, readonly Obstacle[]>());
    let found = known.get(name);
    if (found === undefined) {
      const to = {
        family,
        model,
        drop: section.fallback?.drop ?? neutralDrops,
        provider: generation.providers.get(provider)?.catalogProvider,
      };
      known.set(name, (found = obstaclesTo(this.exchange, this.#request.body, to)));
    }
    return found;
  }
}

/** Budgets and limits that exclude a target; empty if none is set. */
function overOf(
  { generation, caller }: RequestContext,
  exchange: ParsedRequest,
  budgets: Budgets,
): Pick<DecideInput, 'overBudget' | 'overLimit'> {
  if (generation.budgets.length === 0 && generation.rateLimits.length === 0) return nothingOver;
  const asking = {
    workspace: caller.workspace,
    user: userOf(caller, exchange),
    ...(caller.trust === undefined ? {} : { trust: caller.trust }),
  };
  const overBudget = generation.budgets.length === 0 ? null : budgets.overBudget(generation, asking);
  const overLimit = generation.rateLimits.length === 0 ? null : budgets.overLimit(generation, asking);
  return { ...(overBudget === null ? {} : { overBudget }), ...(overLimit === null ? {} : { overLimit }) };
}

const nothingOver = {};

type Expected = Pick<Question, 'learned' | 'compared' | 'learning'>;
const nothingExpected: Expected = { learned: null, compared: null, learning: null };

/** What models, grades and earlier answers predict for the request. */
function expectedOf(
  { context, exchange }: ReadRequest,
  { router, learner }: RequestServices,
  verdict: Verdict,
  outputKey: OutputKey | undefined,
): Expected {
  const { section } = context;
  if (section.learned === null && section.models === null && section.learning === null) return nothingExpected;
  const asked =
    section.learned !== null && router !== null && exchange.operation === 'generate' && section.learned.strong.has(exchange.model);
  const several = compares(section, exchange);
  const features = asked || several || section.learning !== null ? textFeatures(exchange.lastUser) : null;
  const learned = asked ? judge(router.current(), exchange, features!, section.learned.weak.model, section.learned) : null;
  const compared = several
    ? compareModels(context, exchange, {
        verdict,
        features: features!,
        template: outputKey?.template ?? templateOf(exchange, verdict.task),
        learner,
      })
    : null;
  const learning = learn(context, exchange, { features, kind: verdict.task }, learned, learner);
  return { learned, compared, learning: compared === null || learning === null ? learning : withModels(learning, compared) };
}

/** Adds the expectation for each model, so that a grade of the answer can be learnt from. A randomly drawn answer is graded first. */
function withModels(learning: LearningMark, { verdict, request: { known, candidates }, requested }: Compared): LearningMark {
  return {
    ...learning,
    models: { requested, known, candidates },
    ...(verdict.probe === null || learning.why === 'upgrade' ? {} : { why: 'probe' }),
  };
}

function anySigned({ providers }: PolicySnapshot): boolean {
  for (const { signing } of providers.values()) if (signing !== null) return true;
  return false;
}

/** Grades of the request's template; null if nothing is learnt from grades. */
function learn(
  { section, caller, provider, wallTime }: RequestContext,
  exchange: ParsedRequest,
  { features, kind }: { readonly features: TextFeatures | null; readonly kind: string },
  learned: RouterVerdict | null,
  learner: RequestServices['learner'],
): LearningMark | null {
  if (section.learning === null || learner === null || features === null || exchange.operation !== 'generate') return null;
  let view: RouterView | null = null;
  if (learned !== null && section.learned !== null) {
    const { weak } = section.learned;
    view = {
      pair: { weak: `${weak.provider}/${weak.model}`, strong: `${provider.name}/${exchange.model}` },
      gain: learned.gain,
      uncertainty: learned.uncertainty,
      maxLoss: learned.maxLoss,
      known: learned.abstained === null,
      fixed: learned.acts && learned.says === 'weak',
      calibrated: learned.calibration !== null,
    };
  }
  const asked = { workspace: caller.workspace, exchange, tokens: features.tokens, kind };
  return learner.assess(asked, view, section.learning, wallTime);
}
