import type { ParsedRequest } from '../../apis/types.ts';
import { limits } from '../../lib/limits.ts';
import type { BeliefSettings } from './beliefs.ts';
import { CandidateRouter, type CompareSettings } from '../candidates/router.ts';
import type { ComparedRequest, Dollars, ModelsVerdict } from '../candidates/types.ts';
import { PairRouter, spreadOf, type RouterFacts } from './router.ts';
import { beliefSettings, defaultLearning, type LearningSettings, type UpgradeSettings } from './settings.ts';
import { exportState, importState, summaryOf, templatesOf, type LearningState, type LearningSummary } from './state.ts';
import { nearHash, templateOf } from './template.ts';
import type { Arm, LearningGrade, LearningMark, LearningPair } from './types.ts';
import { Upgrades, type Upgrade } from './upgrades.ts';

/** The part of the learned router's verdict that learning uses. */
export interface RouterView extends Omit<RouterFacts, 'kind'> {
  /** Kind of work, from the text; absent if unknown. */
  readonly kind?: string;
  readonly pair: LearningPair;
  readonly maxLoss: number;
}

/** A request with the facts derived from its text. `tokens`: lower-case words of the last user turn; `kind`: kind of work. */
export interface AskedText {
  readonly workspace: string;
  readonly exchange: Pick<ParsedRequest, 'system' | 'toolNames' | 'tools'>;
  readonly tokens: readonly string[];
  readonly kind: string;
}

/** What learning knows a request by. `near`: the hash of its words. */
export interface AskedTemplate {
  readonly workspace: string;
  readonly template: string;
  readonly near: string;
}

/** Effect of a grade. `frozen` and `foreign` (an answer of neither model, or with zero weight) change no belief about the pair. */
export type Observed = 'learnt' | 'changed' | 'frozen' | 'foreign';

/**
 * Learns from grades how good the models of a pair are on each template of a workspace, and which requests to upgrade. In memory; bounded;
 * never blocks.
 */
export class OnlineLearner {
  readonly #routers = new Map<string, { readonly workspace: string; readonly pair: LearningPair; readonly router: PairRouter }>();
  readonly #compared = new Map<string, { readonly workspace: string; readonly requested: string; readonly router: CandidateRouter }>();
  readonly #upgrades = new Upgrades(limits.learningUpgrades);
  readonly #settings: BeliefSettings;
  readonly #random: () => number;
  #frozen = false;
  #grades = 0;

  /** `random`: source of random numbers. */
  constructor(settings: BeliefSettings = beliefSettings, random: () => number = Math.random) {
    this.#settings = settings;
    this.#random = random;
  }

  /** When true, grades change nothing; the learnt state stays in use. */
  get frozen(): boolean {
    return this.#frozen;
  }

  freeze(frozen: boolean): void {
    this.#frozen = frozen;
  }

  /** Number of grades learnt from, including those of forgotten workspaces. */
  get grades(): number {
    return this.#grades;
  }

  /** Upgrades in force. */
  upgrades(now: number): Upgrade[] {
    return this.#upgrades.list(now);
  }

  /** Learning's verdict on a request. `view`: null if the section does not route between a pair, or the router was not asked. */
  assess({ workspace, exchange, tokens, kind }: AskedText, view: RouterView | null, settings: LearningSettings, now: number): LearningMark {
    const asked = { workspace, template: templateOf(exchange, kind), near: nearHash(tokens) };
    return this.assessTemplate(asked, view === null ? null : { ...view, kind }, settings, now);
  }

  /** The same for a request whose template and hash are already known. */
  assessTemplate(
    { workspace, template, near }: AskedTemplate,
    view: RouterView | null,
    settings: LearningSettings,
    now: number,
  ): LearningMark {
    const upgrade = settings.upgradeScope === 'none' ? null : this.#upgrades.find(workspace, template, near, now);
    const forced = upgrade === null ? null : ({ says: 'strong', why: 'upgrade' } as const);
    if (view === null)
      return {
        template,
        near,
        pair: null,
        gain: null,
        uncertainty: null,
        expected: null,
        spread: null,
        threshold: null,
        says: null,
        why: 'prior',
        ...forced,
      };
    const choice = this.#routerOf(workspace, view.pair).choose(
      template,
      { ...view, kind: view.kind ?? '' },
      { ...settings, maxLoss: view.maxLoss },
      this.#random(),
    );
    return { template, near, pair: view.pair, gain: view.gain, uncertainty: view.uncertainty, kind: view.kind ?? '', ...choice, ...forced };
  }

  /**
   * Compares several models for one request of `requested` (`provider/model`). `model`: version of the quality model that the priors come
   * from.
   */
  compare(
    workspace: string,
    requested: string,
    request: ComparedRequest,
    { model, ...settings }: CompareSettings & { readonly model: string },
  ): ModelsVerdict {
    const router = this.#comparedOf(workspace, requested);
    const candidates = router.views(request);
    return {
      model,
      objective: settings.objective,
      usdPerScore: router.price,
      level: router.level,
      candidates,
      probe: settings.probeShare === 0 ? null : router.probe(candidates, settings, this.#random(), this.#random),
    };
  }

  /** Remembers what each candidate would have cost, so that the price of quality follows the traffic. */
  remember(
    workspace: string,
    requested: string,
    seen: { readonly request: ComparedRequest; readonly requestedUsd: Dollars; readonly usd: readonly Dollars[] },
    settings: CompareSettings,
  ): void {
    this.#comparedOf(workspace, requested).remember(seen.request, seen.requestedUsd, seen.usd, settings);
  }

  /**
   * Learns from one grade of any source. A low one upgrades similar requests at once; a score of either model of the pair changes the
   * belief about its template. The same grade twice counts twice.
   */
  observe(grade: LearningGrade, settings: UpgradeSettings = defaultLearning): Observed {
    if (this.#frozen) return 'frozen';
    const { mark, workspace, score, weight, time } = grade;
    const arm = armOf(grade);
    if (grade.model !== grade.requested && score < settings.upgradeBelow && settings.upgradeScope !== 'none') {
      const near = settings.upgradeScope === 'template' ? null : mark.near;
      this.#upgrades.add({ workspace, template: mark.template, near, until: time + settings.upgradeMs, decisionId: grade.decisionId });
    }
    if (mark.models !== undefined && weight > 0) this.#observeCompared(grade);
    if (arm === null || mark.pair === null || mark.gain === null || mark.uncertainty === null || weight === 0) return 'foreign';
    const router = this.#routerOf(workspace, mark.pair);
    this.#grades++;
    const key = { template: mark.template, kind: mark.kind ?? '', spread: spreadOf(mark.uncertainty) };
    const changed = router.beliefs.observe(key, { arm, gain: mark.gain, score, against: grade.against ?? null, weight, time });
    router.changed();
    return changed ? 'changed' : 'learnt';
  }

  /** The complete learnt state as plain data. */
  state(now: number): LearningState {
    return exportState([...this.#routers.values()], [...this.#compared.values()], this.#upgrades.list(now), this.#frozen, this.#grades);
  }

  /** A summary for people: by pair and template, in scores. */
  summary(now: number): LearningSummary {
    return summaryOf([...this.#routers.values()], [...this.#compared.values()], this.#upgrades.list(now), this.#frozen, this.#grades);
  }

  /** Replaces the complete learnt state. */
  restore(state: LearningState): void {
    this.reset(null);
    this.#frozen = state.frozen;
    this.#grades = state.grades;
    for (const upgrade of state.upgrades) this.#upgrades.add(upgrade);
    for (const { workspace, pair, templates } of importState(state)) {
      const router = new PairRouter(this.#settings, limits.learningTemplates, templates);
      this.#routers.set(keyOf(workspace, pair), { workspace, pair, router });
    }
    for (const { workspace, requested, models } of state.compared ?? []) {
      const kept = new Map(models.map(({ model, templates }) => [model, templatesOf(templates)]));
      this.#compared.set(`${workspace}\n${requested}`, { workspace, requested, router: new CandidateRouter(kept) });
    }
  }

  /** Forgets what was learnt for a workspace; null for all. */
  reset(workspace: string | null): void {
    for (const [key, one] of this.#routers) if (workspace === null || one.workspace === workspace) this.#routers.delete(key);
    for (const [key, one] of this.#compared) if (workspace === null || one.workspace === workspace) this.#compared.delete(key);
    this.#upgrades.clear(workspace);
    if (workspace === null) this.#grades = 0;
  }

  #observeCompared({ workspace, mark, model, score, against, weight, time }: LearningGrade): void {
    if (mark.models === undefined) return;
    const { requested, candidates } = mark.models;
    const prior = candidates.find((candidate) => candidate.model === model) ?? null;
    if (prior === null && model !== requested) return;
    if (mark.pair === null) this.#grades++;
    this.#comparedOf(workspace, requested).observe({ template: mark.template, kind: mark.kind ?? '' }, prior, {
      score,
      against: prior === null ? null : (against ?? null),
      weight,
      time,
      others: candidates,
    });
  }

  #comparedOf(workspace: string, requested: string): CandidateRouter {
    const key = `${workspace}\n${requested}`;
    let one = this.#compared.get(key);
    if (one === undefined) {
      if (this.#compared.size >= limits.learningPairs) this.#compared.delete(this.#compared.keys().next().value ?? '');
      this.#compared.set(key, (one = { workspace, requested, router: new CandidateRouter() }));
    }
    return one.router;
  }

  #routerOf(workspace: string, pair: LearningPair): PairRouter {
    const key = keyOf(workspace, pair);
    let one = this.#routers.get(key);
    if (one === undefined) {
      if (this.#routers.size >= limits.learningPairs) this.#routers.delete(this.#routers.keys().next().value ?? '');
      this.#routers.set(key, (one = { workspace, pair, router: new PairRouter(this.#settings, limits.learningTemplates) }));
    }
    return one.router;
  }
}

/** Which model of the pair answered; null if neither. */
function armOf({ mark: { pair }, model }: LearningGrade): Arm | null {
  if (pair === null) return null;
  return model === pair.weak ? 'weak' : model === pair.strong ? 'strong' : null;
}

function keyOf(workspace: string, { weak, strong }: LearningPair): string {
  return `${workspace}\n${weak}\n${strong}`;
}
