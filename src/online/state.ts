import { z } from 'zod';
import type { TemplateState } from './beliefs.ts';
import type { PairRouter } from './router.ts';
import type { LearningPair } from './types.ts';
import type { Upgrade } from './upgrades.ts';

const sums = z.strictObject({ aa: z.number(), ad: z.number(), dd: z.number(), a: z.number(), d: z.number(), grades: z.int() });
const pair = z.strictObject({ weak: z.string(), strong: z.string() });

/** What was learnt, as it is exported, kept on disk and read back. */
export const stateSchema = z.strictObject({
  format: z.literal(1),
  frozen: z.boolean(),
  grades: z.int(),
  pairs: z.array(
    z.strictObject({
      workspace: z.string(),
      pair,
      templates: z.array(z.strictObject({ template: z.string(), sums, recent: sums, shortfall: z.number(), time: z.number(), changes: z.int() })),
    }),
  ),
  upgrades: z.array(z.strictObject({ workspace: z.string(), template: z.string(), near: z.string().nullable(), until: z.number(), decisionId: z.string() })),
});

export type LearningState = z.infer<typeof stateSchema>;

interface Routed {
  readonly workspace: string;
  readonly pair: LearningPair;
  readonly router: PairRouter;
}

export function exportState(routers: readonly Routed[], upgrades: readonly Upgrade[], frozen: boolean, grades: number): LearningState {
  return {
    format: 1,
    frozen,
    grades,
    pairs: routers.map(({ workspace, pair, router }) => ({
      workspace,
      pair,
      templates: [...router.beliefs.templates].map(([template, { sums, recent, shortfall, time, changes }]) => ({ template, sums: { ...sums }, recent: { ...recent }, shortfall, time, changes })),
    })),
    upgrades: upgrades.map((upgrade) => ({ ...upgrade })),
  };
}

/** The templates of each pair, ready to be learnt on. */
export function importState(state: LearningState): { readonly workspace: string; readonly pair: LearningPair; readonly templates: Map<string, TemplateState> }[] {
  return state.pairs.map(({ workspace, pair, templates }) => ({
    workspace,
    pair,
    templates: new Map(templates.map(({ template, sums, recent, shortfall, time, changes }) => [template, { sums: { ...sums }, recent: { ...recent }, shortfall, time, changes }])),
  }));
}
