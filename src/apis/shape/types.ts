import type { ParameterValue } from '../types.ts';

/** How hard a model is to think, the least first. */
export const efforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;

/** What a policy can cap thinking to. */
export const shapeEfforts = ['minimal', 'low', 'medium', 'high'] as const;
export type ShapeEffort = (typeof shapeEfforts)[number];

/** What a policy makes of a request's own parameters. Null: as the app says. */
export interface Shape {
  /** Most output tokens. */
  readonly maxOutputTokens: number | null;
  /** Most effort to think. */
  readonly reasoning: ShapeEffort | null;
  /** Most tokens to think with, where the API takes such a number. */
  readonly thinkingTokens: number | null;
  /** The cheaper, slower tier of the service, where the model has one. */
  readonly serviceTier: 'flex' | null;
}

/** Closed list: a metric label. */
export const shapeParts = ['maxOutputTokens', 'reasoning', 'thinkingTokens', 'serviceTier'] as const;
export type ShapePart = (typeof shapeParts)[number];

/** One parameter that is written into a request. */
export interface ShapeChange {
  readonly part: ShapePart;
  /** In the API's own words, from the body's root: `generationConfig.maxOutputTokens`. */
  readonly path: string;
  /** What the app said; null: nothing. */
  readonly from: ParameterValue;
  readonly to: string | number;
}

/**
 * Why a part was left alone. Closed list: a metric label. `not-taken`: a model that may answer does not take it; `no-place`: the API has no such
 * parameter, or no room for the value; `not-said`: the app does not say it, and nobody knows that the model's own choice is higher.
 */
export type ShapeLeft = 'not-taken' | 'no-place' | 'not-said';

/** What becomes of a request. */
export interface ShapePlan {
  readonly changes: readonly ShapeChange[];
  readonly left: readonly { readonly part: ShapePart; readonly why: ShapeLeft }[];
}

/** The strictest of several. */
export function strictest(shapes: readonly Shape[]): Shape {
  const least = (values: readonly (number | null)[]): number | null =>
    values.reduce((low, value) => (value === null ? low : Math.min(low ?? Infinity, value)), null);
  const ranks = shapes.map(({ reasoning }) => (reasoning === null ? null : shapeEfforts.indexOf(reasoning)));
  const rank = least(ranks);
  return {
    maxOutputTokens: least(shapes.map(({ maxOutputTokens }) => maxOutputTokens)),
    reasoning: rank === null ? null : shapeEfforts[rank]!,
    thinkingTokens: least(shapes.map(({ thinkingTokens }) => thinkingTokens)),
    serviceTier: shapes.some(({ serviceTier }) => serviceTier === 'flex') ? 'flex' : null,
  };
}

/** Tokens to think with that an effort stands for where an API counts them; the same as translations use. */
export const effortTokens: Readonly<Record<ShapeEffort, number>> = { minimal: 1_024, low: 1_024, medium: 8_192, high: 24_576 };
