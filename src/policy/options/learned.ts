import { z } from 'zod';
import type { Objective } from '../../router/candidates/types.ts';
import type { LearnedPolicy, ModelsPolicy, TargetRef } from '../types.ts';
import { model, names, shareOf } from './values.ts';

const learned = z.strictObject({
  weak: model.describe('The cheaper model, which takes what it is good enough for'),
  strong: names.describe('Requested models that it may stand in for'),
  maxQualityLoss: z
    .union([z.string().regex(/^\d{1,2}(\.\d+)?%$/, 'a share as 2%'), z.number().min(0).max(0.5)])
    .describe(
      'Quality that may be lost against always using the requested model, e.g. 2%; kept with 95% confidence on the calibration rows',
    ),
  pair: z
    .strictObject({
      weak: z.string().min(1).max(256).describe('Its weak model'),
      strong: z.string().min(1).max(256).describe('Its strong model'),
    })
    .optional()
    .describe('The pair in the model file whose calibration counts; by default the weak and the requested model'),
  uncalibrated: z
    .enum(['shadow', 'strictest'])
    .optional()
    .describe('Without a calibration of the pair: shadow only records; strictest takes the lowest threshold'),
});

const models = z
  .strictObject({
    list: z.array(model).min(1).max(32).optional().describe('What is compared; the candidates of the request’s tier by default'),
    for: names.describe('Requested models that these may stand in for'),
    maxQualityLoss: z
      .union([z.string().regex(/^\d{1,2}(\.\d+)?%$/, 'a share as 2%'), z.number().min(0).max(0.5)])
      .optional()
      .describe('The cheapest, within this expected loss of quality against the requested model, e.g. 2%'),
    maxCost: z
      .union([z.string().regex(/^\d{1,2}(\.\d+)?%$/, 'a share as 40%'), z.number().min(0.01).max(1)])
      .optional()
      .describe('The best, within this share of the requested model’s cost, e.g. 40%'),
    usdPerPoint: z
      .number()
      .positive()
      .max(1_000)
      .optional()
      .describe('US dollars that a point of quality (a hundredth of a good answer) is worth'),
  })
  .refine(
    (value) => [value.maxQualityLoss, value.maxCost, value.usdPerPoint].filter((part) => part !== undefined).length === 1,
    'say exactly one of maxQualityLoss, maxCost, usdPerPoint',
  );

export type LearnedDocument = z.infer<typeof learned>;
export type ModelsDocument = z.infer<typeof models>;

export const learnedOption = learned.optional().describe('Routing by predicted gain; see docs/learned-routing.md');

export const modelsOption = models.optional().describe('Several models compared by expected quality and cost; see docs/candidates.md');

/** Fills in defaults. Null if the section has no learned routing, or this provider's traffic cannot reach the weak model. */
export function compileLearned(document: LearnedDocument | undefined, resolve: (text: string) => TargetRef | null): LearnedPolicy | null {
  if (document === undefined) return null;
  const weak = resolve(document.weak);
  if (weak === null) return null;
  return {
    weak,
    strong: new Set(document.strong),
    maxLoss: shareOf(document.maxQualityLoss),
    pair: document.pair ?? null,
    uncalibrated: document.uncalibrated ?? 'shadow',
  };
}

/**
 * Null if the section compares nothing, or this provider's traffic cannot reach any model of the list. `resolve`: resolves a model of the
 * list by its index.
 */
export function compileModels(
  document: ModelsDocument | undefined,
  resolve: (text: string, at: number) => TargetRef | null,
): ModelsPolicy | null {
  if (document === undefined) return null;
  const list = document.list?.map(resolve).filter((target) => target !== null) ?? null;
  return list?.length === 0 ? null : { list, for: new Set(document.for), objective: objectiveOf(document) };
}

function objectiveOf({ maxQualityLoss, maxCost, usdPerPoint }: ModelsDocument): Objective {
  if (maxQualityLoss !== undefined) return { kind: 'loss', maxLoss: shareOf(maxQualityLoss) };
  // The schema ensures that one of the three is set. A point is a hundredth of a score of 1.
  return maxCost === undefined ? { kind: 'price', usd: (usdPerPoint ?? 0) * 100 } : { kind: 'cost', maxShare: shareOf(maxCost) };
}
