import type { ParsedRequest } from '../apis/types.ts';
import type { TextFeatures } from '../classify/features.ts';
import type { PolicySection, TargetRef } from '../policy/types.ts';
import type { Decision } from '../route/types.ts';
import { catalogModel } from '../route/capabilities.ts';
import { type CompareSettings, CandidateRouter } from '../router/candidates/router.ts';
import type { CandidatePrior, ComparedRequest, ModelsVerdict } from '../router/candidates/types.ts';
import { unlike } from '../router/model/verdict.ts';
import type { OnlineLearner } from '../router/online/learner.ts';
import { shippedQuality } from '../router/quality/file.ts';
import type { Verdict } from '../classify/types.ts';
import type { RequestContext } from './context.ts';

/** The models compared for one request, and the settings used. */
export interface Compared {
  readonly verdict: ModelsVerdict;
  readonly request: ComparedRequest;
  readonly targets: readonly TargetRef[];
  /** `provider/model`. */
  readonly requested: string;
  readonly settings: CompareSettings;
}

export interface CompareInput {
  readonly verdict: Verdict;
  readonly features: TextFeatures;
  readonly template: string;
  /** Null if nothing is learnt and no window of requests is kept. */
  readonly learner: Pick<OnlineLearner, 'compare' | 'remember'> | null;
}

/** Whether a section compares several models for a request. */
export function compares({ models }: PolicySection, exchange: ParsedRequest): boolean {
  return models !== null && exchange.operation === 'generate' && models.for.has(exchange.model);
}

/** Compares the candidate models of one request. Null if there is nothing to compare. */
export function compareModels(
  { section, caller, provider, generation }: Pick<RequestContext, 'section' | 'caller' | 'provider' | 'generation'>,
  exchange: ParsedRequest,
  { verdict, features, template, learner }: CompareInput,
): Compared | null {
  if (section.models === null) return null;
  const targets = section.models.list ?? section.candidates[verdict.tier];
  if (targets.length === 0) return null;
  const quality = shippedQuality();
  const view = quality.view(features.tokens);
  const strong = quality.indexOf(catalogModel(provider, exchange.model));
  const candidates = targets.map((target): CandidatePrior => {
    const owner = generation.providers.get(target.provider);
    const at = quality.indexOf(owner === undefined ? target.model : catalogModel(owner, target.model));
    return { model: `${target.provider}/${target.model}`, ...quality.gain(view, at, strong), measured: strong !== -1 && at !== -1 };
  });
  // The public data sets hold only single text questions.
  const known = view.known >= leastKnown && unlike(exchange) === null;
  const request: ComparedRequest = { template, kind: verdict.classifiedTask ?? verdict.task, known, candidates };
  const requested = `${provider.name}/${exchange.model}`;
  const { learning } = section;
  const settings = {
    objective: section.models.objective,
    probeShare: learning === null || learner === null ? 0 : learning.probeShare,
    riskShare: learning?.riskShare ?? 0,
  };
  return {
    verdict: verdictOf(learner, caller.workspace, requested, request, { ...settings, model: quality.version }),
    request,
    targets,
    requested,
    settings,
  };
}

/** Below this similarity to the kinds in the public data sets, a prompt is a different kind of work. */
const leastKnown = 0.5;

function verdictOf(
  learner: CompareInput['learner'],
  workspace: string,
  requested: string,
  request: ComparedRequest,
  settings: CompareSettings & { readonly model: string },
): ModelsVerdict {
  if (learner !== null) return learner.compare(workspace, requested, request, settings);
  const router = new CandidateRouter();
  return {
    model: settings.model,
    objective: settings.objective,
    usdPerScore: router.price,
    level: router.level,
    candidates: router.views(request),
    probe: null,
  };
}

/** Records a decision for the price of quality after the request was forwarded: computing it takes longer than a decision may. */
export function rememberModels(
  { request, targets, requested, settings }: Compared,
  { candidates, baselineEstimate }: Decision,
  workspace: string,
  learner: Pick<OnlineLearner, 'remember'>,
  defer: (work: () => void) => void = setImmediate,
): void {
  if (!baselineEstimate.known) return;
  let found = false;
  const usd = targets.map(({ provider, model }) => {
    const report = candidates.find(({ target }) => target.provider === provider && target.model === model);
    found ||= report !== undefined;
    if (report?.disqualified !== null || !report.estimate.known || `${provider}/${model}` === requested) return NaN;
    return report.estimate.usd;
  });
  // An earlier step decided: no models were compared.
  if (!found) return;
  const requestedUsd = baselineEstimate.usd;
  defer(() => learner.remember(workspace, requested, { request, requestedUsd, usd }, settings));
}
