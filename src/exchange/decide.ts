import type { DialectFamily, ParsedRequest } from '../apis/types.ts';
import type { Budgets } from '../budgets/budgets.ts';
import { textFeatures, type TextFeatures } from '../classify/features.ts';
import { classifyRequest, withSaidTask } from '../classify/index.ts';
import type { Verdict } from '../classify/types.ts';
import type { PolicySnapshot, TargetRef } from '../policy/types.ts';
import type { DecideInput } from '../route/types.ts';
import { judge, type LearnedVerdict } from '../router/model/verdict.ts';
import type { RouterView } from '../router/online/learner.ts';
import { templateOf } from '../router/online/template.ts';
import type { LearningMark } from '../router/online/types.ts';
import type { OutputTokens } from '../router/output/tokens.ts';
import type { SessionView } from '../sessions/types.ts';
import { userOf } from './caller.ts';
import { translatableTo } from './chain/crossing.ts';
import { compareModels, compares, type Compared } from './compare-models.ts';
import type { ReadRequest, RequestContext } from './context.ts';
import type { RequestServices } from './services.ts';

/** The input of a decision. */
export type Question = DecideInput & { readonly verdict: Verdict; readonly compared?: Compared };

/** Classifies a request and gathers the other inputs of its decision. */
export function questionOf(request: ReadRequest, services: RequestServices, session: SessionView | null): Question {
  const { context, exchange } = request;
  const { generation, provider, section, caller } = context;
  const { credentials, cooldowns, budgets, inEnvoy, pools, refusals } = services;
  const over = overOf(context, exchange, budgets);
  const verdict = withSaidTask(classifyRequest(exchange, section.classifier), caller.task);
  return {
    exchange,
    verdict,
    session,
    forced: context.forced,
    ...expectedOf(request, services, verdict),
    caller,
    provider,
    section,
    keepModel: context.routeOff,
    ...(context.inspection === null ? {} : { sensitive: context.inspection.matched }),
    generation,
    hasCredential: (name) => credentials.has(name, section),
    // If a chain's targets are endpoints of one cluster, no provider-specific filter can sign.
    inEnvoy:
      context.envoy.attemptEndpoints && anySigned(generation)
        ? (name) => generation.providers.get(name)?.signing === null && inEnvoy?.(name) !== false
        : inEnvoy,
    pools,
    ...(refusals === undefined ? {} : { refusals: (name, model) => refusals.of(name, model) }),
    cooling: (target) => cooldowns.cooling(target, target.provider === provider.name),
    canTranslate: translatableFrom(request),
    ...over,
  };
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

/** What models, grades and earlier answers predict for the request. */
function expectedOf(
  { context, exchange }: ReadRequest,
  { router, learner, outputs }: RequestServices,
  verdict: Verdict,
): Pick<Question, 'learned' | 'models' | 'compared' | 'outputTokens' | 'outputKey' | 'learning'> {
  const { section } = context;
  const asked =
    section.learned !== null && router !== null && exchange.operation === 'generate' && section.learned.strong.has(exchange.model);
  const several = compares(section, exchange);
  const features = asked || several || section.learning !== null ? textFeatures(exchange.lastUser) : null;
  const learned = asked ? judge(router.current(), exchange, features!, section.learned.weak.model, section.learned) : null;
  const output = outputsOf(exchange, verdict.classifiedTask ?? verdict.task, outputs);
  const compared = several
    ? compareModels(context, exchange, {
        verdict,
        features: features!,
        template: output.outputKey?.template ?? templateOf(exchange, verdict.task),
        learner,
      })
    : null;
  const learning = learn(context, exchange, { features, kind: verdict.task }, learned, learner);
  return {
    learned,
    ...(compared === null ? {} : { models: compared.verdict, compared }),
    ...output,
    learning: compared === null || learning === null ? learning : withModels(learning, compared),
  };
}

/** Adds the expectation for each model, so that a grade of the answer can be learnt from. A randomly drawn answer is graded first. */
function withModels(learning: LearningMark, { verdict, request: { known, candidates }, requested }: Compared): LearningMark {
  return {
    ...learning,
    models: { requested, known, candidates },
    ...(verdict.probe === null || learning.why === 'upgrade' ? {} : { why: 'probe' }),
  };
}

/** Answer length of each target for the request's template; empty if it is not learnt. */
function outputsOf(
  exchange: ParsedRequest,
  kind: string,
  outputs: OutputTokens | undefined,
): Pick<DecideInput, 'outputTokens' | 'outputKey'> {
  if (outputs === undefined || exchange.operation !== 'generate') return {};
  const outputKey = { template: templateOf(exchange, kind), kind, units: exchange.lastUser.length };
  return { outputKey, outputTokens: ({ provider, model }, assumed) => outputs.expected(`${provider}/${model}`, outputKey, assumed) };
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
  learned: LearnedVerdict | null,
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
  return learner.assess(caller.workspace, exchange, { tokens: features.tokens, kind }, view, section.learning, wallTime);
}

/** Called once per target that a chain could cross to: what an API accepts depends on the model. */
function translatableFrom({ context, exchange, body }: ReadRequest): (target: TargetRef, family: DialectFamily) => boolean {
  const {
    section: { fallback },
    generation: { providers },
    envoy,
  } = context;
  const known = new Map<string, boolean>();
  return ({ provider, model }, family) => {
    const key = `${provider}/${model}`;
    let can = known.get(key);
    if (can === undefined) {
      const to = { family, model, drop: fallback?.drop ?? [], provider: providers.get(provider)?.catalogProvider };
      known.set(key, (can = envoy.chains && translatableTo(exchange, body, to)));
    }
    return can;
  };
}
