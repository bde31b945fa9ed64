import type { ParsedRequest } from '../../apis/types.ts';
import { languageOf } from '../../classify/language.ts';
import type { TextFeatures } from './features.ts';
import type { RouterModel } from './model.ts';
import type { Influence, PairCalibration, PairPoint } from './types.ts';

/** Settings of the learned router in a policy. */
export interface LearnedSettings {
  /** Allowed loss relative to always-strong, 0..1. */
  readonly maxLoss: number;
  /** Names of the pair in the model file whose calibration is used; null for the names of the models themselves. */
  readonly pair: { readonly weak: string; readonly strong: string } | null;
  /** Without a calibration: only record the verdict, or use the lowest threshold of any pair. */
  readonly uncalibrated: 'shadow' | 'strictest';
}

/** How a request differs from the training requests. */
export type Unlike = 'words' | 'kind' | 'language' | 'tools' | 'media' | 'conversation';

/** The learned router's verdict on one request. */
export interface RouterVerdict {
  /** Version of the model file. */
  readonly model: string;
  readonly gain: number;
  readonly uncertainty: number;
  /** Share of the prompt's words that the model knows. */
  readonly familiarity: number;
  /** Null if the model knows this kind of request; otherwise how it differs from the calibration rows, and the model gives no verdict. */
  readonly abstained: Unlike | null;
  /** Gains up to this go to the weak model; null when no threshold keeps the loss limit, or the pair has no calibration. */
  readonly threshold: number | null;
  readonly maxLoss: number;
  /** The calibration that the threshold is from, as `weak > strong`; null if none. */
  readonly calibration: string | null;
  /**
   * `weak`: the gain is within the threshold. `strong`: it is above, by this very pair's calibration. Null when there is no verdict, and
   * the decision table is used as if there were no model.
   */
  readonly says: 'weak' | 'strong' | null;
  /** False without a calibration: the verdict is only recorded. */
  readonly acts: boolean;
  /** The features that moved the score most. */
  readonly influences: readonly Influence[];
}

/** Most features named in a record. */
const mostInfluences = 5;

/**
 * The highest threshold whose loss is at most `most` with 95% confidence; null if there is none. Thresholds are tried from the safe end and
 * the first failure ends the search: with a fixed test order, one level holds for all.
 */
export function thresholdFor(points: readonly PairPoint[], most: number): PairPoint | null {
  let best: PairPoint | null = null;
  for (const point of points) {
    if (point.upper > most) break;
    best = point;
  }
  return best;
}

/**
 * Predicts the gain of a request and compares it with the threshold that keeps the loss limit. Pure. `features`: those of
 * `exchange.lastUser`.
 */
export function judge(
  model: RouterModel,
  exchange: ParsedRequest,
  features: TextFeatures,
  weakModel: string,
  settings: LearnedSettings,
): RouterVerdict {
  const { gain, uncertainty, abstain, familiarity, known } = model.predict(exchange.lastUser, features);
  const { pairs } = model.header;
  const names = settings.pair ?? { weak: weakModel, strong: exchange.model };
  const own = pairs.find((pair) => pair.weakModel === names.weak && pair.strongModel === names.strong);
  const threshold =
    own !== undefined
      ? (thresholdFor(own.points, settings.maxLoss)?.threshold ?? null)
      : settings.uncalibrated === 'strictest'
        ? strictest(pairs, settings.maxLoss)
        : null;
  const abstained =
    unlike(exchange) ?? (abstain ? 'words' : foreign(exchange.lastUser, features) ? 'language' : known < leastKnown ? 'kind' : null);
  // Another pair's "the strong one is needed" says little about these models, so only its low gains, on the safe side, are used.
  const mayKeep = own !== undefined && settings.pair === null;
  return {
    model: model.version,
    gain,
    uncertainty,
    familiarity,
    abstained,
    threshold,
    maxLoss: settings.maxLoss,
    calibration: own === undefined ? null : `${own.weakModel} > ${own.strongModel}`,
    says: abstained !== null || threshold === null ? null : gain <= threshold ? 'weak' : mayKeep ? 'strong' : null,
    acts: own !== undefined || settings.uncalibrated === 'strictest',
    influences: model.influences(exchange.lastUser, mostInfluences, features),
  };
}

/** A prompt whose kind fits the training rows less than this has no calibration: halfway between unknown and known. */
export const leastKnown = 0.5;

/** Whether the text is in a language other than that of the training rows, English. Short texts count as English. */
function foreign(text: string, { tokens }: TextFeatures): boolean {
  const language = languageOf(text, tokens);
  return language !== 'en' && language !== 'und';
}

/** The model reads one text. It has seen no requests with tools, media or earlier turns. */
export function unlike({ tools, images, audioInputs, files, userTurns, lastIsToolResult }: ParsedRequest): Unlike | null {
  if (tools > 0 || lastIsToolResult) return 'tools';
  if (images > 0 || audioInputs > 0 || files > 0) return 'media';
  return userTurns > 1 ? 'conversation' : null;
}

/** The lowest threshold of all pairs; null if one of them has none. */
function strictest(pairs: readonly PairCalibration[], maxLoss: number): number | null {
  let lowest: number | null = null;
  for (const { points } of pairs) {
    const point = thresholdFor(points, maxLoss);
    if (point === null) return null;
    lowest = lowest === null ? point.threshold : Math.min(lowest, point.threshold);
  }
  return lowest;
}
