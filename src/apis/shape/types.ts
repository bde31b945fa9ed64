import type { ParameterValue } from '../types.ts';

/** Thinking efforts, lowest first. */
export const efforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;

/** The efforts that a policy can set as a cap. */
export const shapeEfforts = ['minimal', 'low', 'medium', 'high'] as const;
export type ShapeEffort = (typeof shapeEfforts)[number];

/** A policy's caps on a request's own parameters. Null: the app's value is kept. */
export interface Shape {
  /** Most output tokens. */
  readonly maxOutputTokens: number | null;
  /** Highest thinking effort. */
  readonly reasoning: ShapeEffort | null;
  /** Most thinking tokens, if the API has such a limit. */
  readonly thinkingTokens: number | null;
  /** The provider's cheaper, slower service tier, if the model has one. */
  readonly serviceTier: 'flex' | null;
}

/** Closed list: a metric label. */
export const shapeParts = ['maxOutputTokens', 'reasoning', 'thinkingTokens', 'serviceTier'] as const;
export type ShapePart = (typeof shapeParts)[number];

/** One parameter that is written into a request. */
export interface ShapeChange {
  readonly part: ShapePart;
  /** Path in the API's own names, from the body's root: `generationConfig.maxOutputTokens`. */
  readonly path: string;
  /** The app's value; null if it sets none. */
  readonly from: ParameterValue;
  readonly to: string | number;
}

/**
 * Why a part was left unchanged. Closed list: a metric label. `not-taken`: a model that may answer does not accept it; `no-place`: the API
 * has no such parameter, or the value does not fit; `not-said`: the app does not set it, and the model's own default is not known to be
 * higher.
 */
export type ShapeLeft = 'not-taken' | 'no-place' | 'not-said';

/** The changes to a request. */
export interface ShapePlan {
  readonly changes: readonly ShapeChange[];
  readonly left: readonly { readonly part: ShapePart; readonly why: ShapeLeft }[];
}

/** The strictest value of each part. */
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

/** The thinking tokens of each effort, for APIs that count them; the same as in translations. */
export const effortTokens: Readonly<Record<ShapeEffort, number>> = { minimal: 1_024, low: 1_024, medium: 8_192, high: 24_576 };
