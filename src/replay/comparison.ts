import { createHash } from 'node:crypto';
import { neutralDrops } from '../apis/translate.ts';
import type { Usage } from '../apis/types.ts';
import { classifyRequest } from '../classify/index.ts';
import { textFeatures } from '../classify/features.ts';
import { compareModels, compares, rememberModels } from '../exchange/compare-models.ts';
import { translatableTo } from '../exchange/chain/crossing.ts';
import type { CallerContext, PolicySnapshot, Provider } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { decide } from '../route/decide.ts';
import { regionOf } from '../policy/region.ts';
import { catalogModel } from '../route/capabilities.ts';
import type { DecideInput, Decision } from '../route/types.ts';
import { judge } from '../router/model/verdict.ts';
import type { RouterModel } from '../router/model/model.ts';
import { OnlineLearner } from '../router/online/learner.ts';
import { templateOf } from '../router/online/template.ts';
import { shippedQuality } from '../router/quality/file.ts';
import { rebuild } from './exchange.ts';
import { IntervalSum, type Interval, type RatioInterval } from './interval.ts';
import type { PromptRequest } from './prompts.ts';

/** Results of one policy for the traffic. */
export interface PolicyFigures {
  readonly name: string;
  readonly requests: number;
  /** Requests that could not be decided. */
  readonly skipped: number;
  readonly refused: number;
  /** Requests by `provider/model`, most first; cache answers belong to no model. */
  readonly models: readonly (readonly [string, number])[];
  /** Exact repeats that the policy's cache would have answered. */
  readonly cached: number;
  /** For requests whose price is known both ways, in US dollars. */
  readonly costUsd: number;
  readonly baselineUsd: number;
  readonly savings: Interval | null;
  /** The savings as a share of the baseline's cost; null if that is zero. */
  readonly savedShare: RatioInterval | null;
  readonly unpriced: number;
  /** Requests on another model than requested; the number of them with a known expected loss, and its mean over these, in scores. */
  readonly moved: number;
  readonly lossKnown: number;
  readonly expectedLoss: number;
  /** Requests with a fallback target; requests that failed when recorded, and how many of these have one. */
  readonly chained: number;
  readonly failed: number;
  readonly rescued: number;
}

/** Decides the same traffic by one policy, one request at a time, with the server's own decide(). Nothing is sent. */
export class PolicyRun {
  readonly #name: string;
  readonly #generation: PolicySnapshot;
  readonly #router: RouterModel;
  readonly #learner = new OnlineLearner(undefined, () => 1);
  readonly #models = new Map<string, number>();
  readonly #seen = new Map<string, number>();
  readonly #savings = new IntervalSum();
  readonly #counts = {
    requests: 0,
    skipped: 0,
    refused: 0,
    cached: 0,
    unpriced: 0,
    moved: 0,
    lossKnown: 0,
    chained: 0,
    failed: 0,
    rescued: 0,
  };
  #cost = 0;
  #baseline = 0;
  #loss = 0;

  constructor(name: string, generation: PolicySnapshot, router: RouterModel) {
    this.#name = name;
    this.#generation = generation;
    this.#router = router;
  }

  /** Adds a recorded request with its usage. */
  addRecord(record: ExchangeRecord): void {
    const rebuilt = rebuild(record, this.#generation);
    if (typeof rebuilt === 'string') {
      this.#counts.skipped++;
      return;
    }
    const hash = record.request.promptHash;
    const repeat = hash === null ? null : `${record.workspace}\n${String(record.requestedModel)}\n${hash}\n${record.request.bytes}`;
    this.#add(rebuilt.input, {
      usage: record.usage,
      repeat,
      at: Date.parse(record.time),
      failed: record.outcome !== 'complete' && record.outcome !== 'client-gone',
    });
  }

  /** Adds a prompt that nobody answered: lengths and costs are estimates. `at`: ms since 1970. */
  addPrompt({ exchange, body }: PromptRequest, at: number): void {
    const provider = this.#generation.providers.get('openai');
    if (provider === undefined) {
      this.#counts.skipped++;
      return;
    }
    const input = this.#inputOf(exchange, body, provider, at);
    this.#add(input, { usage: null, repeat: createHash('sha256').update(body).digest('hex'), at, failed: false });
  }

  figures(): PolicyFigures {
    const { lossKnown } = this.#counts;
    return {
      name: this.#name,
      ...this.#counts,
      models: [...this.#models].sort((a, b) => b[1] - a[1]),
      costUsd: this.#cost,
      baselineUsd: this.#baseline,
      savings: this.#savings.result(),
      savedShare: this.#savings.relative(),
      expectedLoss: lossKnown === 0 ? 0 : this.#loss / lossKnown,
    };
  }

  #inputOf(exchange: PromptRequest['exchange'], body: Buffer, provider: Provider, at: number): DecideInput {
    const generation = this.#generation;
    const caller: CallerContext = {
      workspace: 'default',
      userTier: null,
      quality: null,
      task: null,
      session: null,
      user: null,
      headers: new Map(),
      now: at,
    };
    const section = generation.section(caller.workspace, provider.name);
    const verdict = classifyRequest(exchange, section.classifier);
    const features = textFeatures(exchange.lastUser);
    const learned =
      section.learned !== null && section.learned.strong.has(exchange.model)
        ? judge(this.#router, exchange, features, section.learned.weak.model, section.learned)
        : null;
    const compared = compares(section, exchange)
      ? compareModels({ section, caller, provider, generation }, exchange, {
          verdict,
          features,
          template: templateOf(exchange, verdict.task),
          learner: this.#learner,
        })
      : null;
    const input: DecideInput = {
      exchange,
      verdict,
      caller,
      provider,
      section,
      generation,
      learned,
      ...(compared === null ? {} : { models: compared.verdict }),
      canTranslate: ({ provider: name, model }, family) =>
        translatableTo(exchange, body, {
          family,
          model,
          drop: section.fallback?.drop ?? neutralDrops,
          provider: generation.providers.get(name)?.catalogProvider,
        }),
    };
    if (compared !== null) rememberModels(compared, decide(input), caller.workspace, this.#learner, (work) => work());
    return input;
  }

  #add(
    input: DecideInput,
    {
      usage,
      repeat,
      at,
      failed,
    }: { readonly usage: Usage | null; readonly repeat: string | null; readonly at: number; readonly failed: boolean },
  ): void {
    const counts = this.#counts;
    const decision = decide(input);
    counts.requests++;
    if (decision.action === 'block') {
      counts.refused++;
      return;
    }
    const { cache } = input.section;
    const ttl = (cache.ttlByTier[decision.tier] ?? cache.ttl) * 1_000;
    const before = repeat === null || !cache.enabled ? undefined : this.#seen.get(repeat);
    const cached = before !== undefined && Math.abs(at - before) <= ttl;
    if (repeat !== null && cache.enabled && !cached) this.#seen.set(repeat, at);
    this.#price(decision, usage, cached);
    if (cached) {
      counts.cached++;
      return;
    }
    const served = `${decision.served.provider}/${decision.served.model}`;
    this.#models.set(served, (this.#models.get(served) ?? 0) + 1);
    if (decision.chain.length > 1) counts.chained++;
    if (failed) counts.failed++;
    if (failed && decision.chain.length > 1) counts.rescued++;
    if (decision.action !== 'route') return;
    counts.moved++;
    const loss = lossOf(input, decision);
    if (loss === null) return;
    counts.lossKnown++;
    this.#loss += loss;
  }

  #price({ served, requested, estimate, baselineEstimate }: Decision, usage: Usage | null, cached: boolean): void {
    const { providers, catalog } = this.#generation;
    const costOf = ({ provider, model }: Decision['served']): Decision['estimate'] => {
      const owner = providers.get(provider);
      return owner === undefined || usage === null
        ? { known: false, reason: 'model' }
        : catalog.cost(owner.catalogProvider, catalogModel(owner, model), usage, regionOf(owner));
    };
    const cost = usage === null ? estimate : costOf(served);
    const baseline = usage === null ? baselineEstimate : costOf(requested);
    if (!cost.known || !baseline.known) {
      this.#counts.unpriced++;
      return;
    }
    const spent = cached ? 0 : cost.usd;
    this.#cost += spent;
    this.#baseline += baseline.usd;
    this.#savings.add(baseline.usd - spent, baseline.usd);
  }
}

/**
 * Expected quality loss of a request that goes to another model, in scores; null if neither public outcomes, nor grades, nor the learned
 * router's calibration of this exact pair give one.
 */
function lossOf({ exchange, section, learned, provider, generation }: DecideInput, { served, models }: Decision): number | null {
  const named = `${served.provider}/${served.model}`;
  const compared = models?.candidates.find(({ model, usable }) => usable && model === named);
  if (compared !== undefined) return compared.expected;
  if (
    learned != null &&
    section.learned !== null &&
    learned.abstained === null &&
    learned.calibration !== null &&
    section.learned.pair === null &&
    section.learned.weak.model === served.model
  )
    return learned.gain;
  const quality = shippedQuality();
  const owner = generation.providers.get(served.provider);
  const weak = quality.indexOf(owner === undefined ? served.model : catalogModel(owner, served.model));
  const strong = quality.indexOf(catalogModel(provider, exchange.model));
  if (weak === -1 || strong === -1 || exchange.lastUser.trim() === '') return null;
  const view = quality.view(textFeatures(exchange.lastUser).tokens);
  return view.known < 0.5 ? null : quality.gain(view, weak, strong).gain;
}
