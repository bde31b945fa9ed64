import { z } from 'zod';
import type { Deviation, TemplateState } from './beliefs.ts';
import type { Spreads } from './evidence.ts';
import type { PairRouter } from './router.ts';
import type { LearningPair } from './types.ts';
import type { Upgrade } from './upgrades.ts';

const number = z.number();
const sums = z.strictObject({ s0: number, s1: number, w0: number, w1: number, wr: number, p0: number, px: number, pr: number, pxx: number, pxr: number, prr: number, grades: z.int() });
const pair = z.strictObject({ weak: z.string(), strong: z.string() });

/** What was learnt, as it is exported, kept on disk and read back. */
export const stateSchema = z.strictObject({
  format: z.literal(2),
  frozen: z.boolean(),
  grades: z.int(),
  pairs: z.array(
    z.strictObject({
      workspace: z.string(),
      pair,
      templates: z.array(z.strictObject({ template: z.string(), kind: z.string().max(64), sums, recent: sums, spread: z.number().positive(), shortfall: z.number(), time: z.number(), changes: z.int() })),
    }),
  ),
  upgrades: z.array(z.strictObject({ workspace: z.string(), template: z.string(), near: z.string().nullable(), until: z.number(), decisionId: z.string() })),
});

export type LearningState = z.infer<typeof stateSchema>;

/** Templates of a pair that a summary names: the ones with the most grades. */
const mostSummed = 100;

/** What was learnt, for people. Gains and levels are in scores, 0 to 1. */
export interface LearningSummary {
  readonly frozen: boolean;
  readonly grades: number;
  readonly upgrades: readonly Upgrade[];
  readonly pairs: readonly {
    readonly workspace: string;
    readonly pair: LearningPair;
    /** Requests that the threshold is computed over, in this process; and the threshold on the expected gain. */
    readonly seen: number;
    readonly threshold: number | null;
    /** Expected score of the strong model. */
    readonly level: number;
    /** What the grades say of the pair: slope on the router's gain, noise of a pair of grades, spreads of templates and kinds. */
    readonly spreads: Spreads;
    /** By how much the gain of a new template that the router knows is expected to differ from the router's. */
    readonly newTemplate: Deviation;
    readonly templates: readonly { readonly template: string; readonly kind: string; readonly grades: number; readonly deviation: Deviation; readonly changes: number; readonly lastGrade: string }[];
  }[];
}

export function summaryOf(routers: readonly Routed[], upgrades: readonly Upgrade[], frozen: boolean, grades: number): LearningSummary {
  return {
    frozen,
    grades,
    upgrades,
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
        .map(([template, { sums, kind, spread, changes, time }]) => ({ template, kind, grades: sums.grades, deviation: router.beliefs.expected({ template, kind, spread }, 0), changes, lastGrade: new Date(time).toISOString() })),
    })),
  };
}

interface Routed {
  readonly workspace: string;
  readonly pair: LearningPair;
  readonly router: PairRouter;
}

export function exportState(routers: readonly Routed[], upgrades: readonly Upgrade[], frozen: boolean, grades: number): LearningState {
  return {
    format: 2,
    frozen,
    grades,
    pairs: routers.map(({ workspace, pair, router }) => ({
      workspace,
      pair,
      templates: [...router.beliefs.templates].map(([template, { sums, recent, kind, spread, shortfall, time, changes }]) => ({ template, kind, sums: { ...sums }, recent: { ...recent }, spread, shortfall, time, changes })),
    })),
    upgrades: upgrades.map((upgrade) => ({ ...upgrade })),
  };
}

/** The templates of each pair, ready to be learnt on. */
export function importState(state: LearningState): { readonly workspace: string; readonly pair: LearningPair; readonly templates: Map<string, TemplateState> }[] {
  return state.pairs.map(({ workspace, pair, templates }) => ({
    workspace,
    pair,
    templates: new Map(templates.map(({ template, kind, sums, recent, spread, shortfall, time, changes }) => [template, { kind, sums: { ...sums }, recent: { ...recent }, spread, shortfall, time, changes }])),
  }));
}
