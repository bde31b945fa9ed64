import { z } from 'zod';
import type { Deviation, TemplateState } from './beliefs.ts';
import type { Spreads } from './evidence.ts';
import type { CandidateRouter } from '../candidates/router.ts';
import type { PairRouter } from './router.ts';
import type { LearningPair } from './types.ts';
import type { Upgrade } from './upgrades.ts';

const number = z.number();
const sums = z.strictObject({
  s0: number,
  s1: number,
  w0: number,
  w1: number,
  wr: number,
  p0: number,
  px: number,
  pr: number,
  pxx: number,
  pxr: number,
  prr: number,
  grades: z.int(),
});
const pair = z.strictObject({ weak: z.string(), strong: z.string() });

const templates = z.array(
  z.strictObject({
    template: z.string(),
    kind: z.string().max(64),
    sums,
    recent: sums,
    spread: z.number().positive(),
    shortfall: z.number(),
    time: z.number(),
    changes: z.int(),
  }),
);

/** The learnt state, as exported, stored on disk and read back. */
export const stateSchema = z.strictObject({
  format: z.literal(2),
  frozen: z.boolean(),
  grades: z.int(),
  pairs: z.array(z.strictObject({ workspace: z.string(), pair, templates })),
  /** Comparisons of several models, by the requested one. Absent if there are none. */
  compared: z
    .array(
      z.strictObject({ workspace: z.string(), requested: z.string(), models: z.array(z.strictObject({ model: z.string(), templates })) }),
    )
    .optional(),
  upgrades: z.array(
    z.strictObject({ workspace: z.string(), template: z.string(), near: z.string().nullable(), until: z.number(), decisionId: z.string() }),
  ),
});

export type LearningState = z.infer<typeof stateSchema>;

/** Most templates of a pair in a summary: those with the most grades. */
const mostSummed = 100;

/** The learnt state, for people. Gains and levels are in scores, 0 to 1. */
export interface LearningSummary {
  readonly frozen: boolean;
  readonly grades: number;
  readonly upgrades: readonly Upgrade[];
  /** Comparisons of several models, by the requested one. */
  readonly compared: readonly {
    readonly workspace: string;
    readonly requested: string;
    /** Requests in this process that the price of quality is computed over; and that price, in US dollars per point. */
    readonly seen: number;
    readonly usdPerPoint: number | null;
    /** Expected score of the requested model. */
    readonly level: number;
    /** The requested model's expected gain beyond the public outcomes. */
    readonly models: readonly { readonly model: string; readonly grades: number; readonly beyondOutcomes: Deviation }[];
  }[];
  readonly pairs: readonly {
    readonly workspace: string;
    readonly pair: LearningPair;
    /** Requests in this process that the threshold is computed over; and the threshold on the expected gain. */
    readonly seen: number;
    readonly threshold: number | null;
    /** Expected score of the strong model. */
    readonly level: number;
    /** Estimates from the pair's grades: slope on the router's gain, noise of a pair of grades, spreads of templates and kinds. */
    readonly spreads: Spreads;
    /** Expected difference between the gain of a new template that the router knows and the router's gain. */
    readonly newTemplate: Deviation;
    readonly templates: readonly {
      readonly template: string;
      readonly kind: string;
      readonly grades: number;
      readonly deviation: Deviation;
      readonly changes: number;
      readonly lastGrade: string;
    }[];
  }[];
}

export function summaryOf(
  routers: readonly Routed[],
  compared: readonly Compared[],
  upgrades: readonly Upgrade[],
  frozen: boolean,
  grades: number,
): LearningSummary {
  return {
    frozen,
    grades,
    upgrades,
    compared: compared.map(({ workspace, requested, router }) => ({
      workspace,
      requested,
      seen: router.seen,
      usdPerPoint: router.price === null ? null : router.price / 100,
      level: router.level,
      models: [...router.beliefs].map(([model, beliefs]) => ({ model, grades: beliefs.grades, beyondOutcomes: beliefs.pair() })),
    })),
    pairs: routers.map(({ workspace, pair, router }) => ({
      workspace,
      pair,
      seen: router.seen,
      threshold: router.threshold,
      level: router.beliefs.level(),
      spreads: router.beliefs.spreads(),
      newTemplate: router.beliefs.pair(),
      templates: [...router.beliefs.templates]
        .sort((a, b) => b[1].sums.grades - a[1].sums.grades)
        .slice(0, mostSummed)
        .map(([template, { sums, kind, spread, changes, time }]) => ({
          template,
          kind,
          grades: sums.grades,
          deviation: router.beliefs.expected({ template, kind, spread }, 0),
          changes,
          lastGrade: new Date(time).toISOString(),
        })),
    })),
  };
}

interface Compared {
  readonly workspace: string;
  readonly requested: string;
  readonly router: CandidateRouter;
}

interface Routed {
  readonly workspace: string;
  readonly pair: LearningPair;
  readonly router: PairRouter;
}

export function exportState(
  routers: readonly Routed[],
  compared: readonly Compared[],
  upgrades: readonly Upgrade[],
  frozen: boolean,
  grades: number,
): LearningState {
  return {
    format: 2,
    frozen,
    grades,
    pairs: routers.map(({ workspace, pair, router }) => ({ workspace, pair, templates: plainTemplates(router.beliefs.templates) })),
    ...(compared.length === 0
      ? {}
      : {
          compared: compared.map(({ workspace, requested, router }) => ({
            workspace,
            requested,
            models: [...router.beliefs].map(([model, beliefs]) => ({ model, templates: plainTemplates(beliefs.templates) })),
          })),
        }),
    upgrades: upgrades.map((upgrade) => ({ ...upgrade })),
  };
}

/** Imports the templates of each pair for further learning. */
export function importState(
  state: LearningState,
): { readonly workspace: string; readonly pair: LearningPair; readonly templates: Map<string, TemplateState> }[] {
  return state.pairs.map(({ workspace, pair, templates }) => ({ workspace, pair, templates: templatesOf(templates) }));
}

type PlainTemplate = LearningState['pairs'][number]['templates'][number];

function plainTemplates(templates: ReadonlyMap<string, TemplateState>): PlainTemplate[] {
  return [...templates].map(([template, { sums, recent, kind, spread, shortfall, time, changes }]) => ({
    template,
    kind,
    sums: { ...sums },
    recent: { ...recent },
    spread,
    shortfall,
    time,
    changes,
  }));
}

/** Imports exported templates for further learning. */
export function templatesOf(templates: readonly PlainTemplate[]): Map<string, TemplateState> {
  return new Map(
    templates.map(({ template, kind, sums, recent, spread, shortfall, time, changes }) => [
      template,
      { kind, sums: { ...sums }, recent: { ...recent }, spread, shortfall, time, changes },
    ]),
  );
}
