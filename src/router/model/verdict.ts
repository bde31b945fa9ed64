import type { Exchange } from '../../apis/types.ts';
import { languageOf } from '../../classify/language.ts';
import type { TextFeatures } from './features.ts';
import type { RouterModel } from './model.ts';
import type { Influence, PairCalibration, PairPoint } from './types.ts';

/** What a policy asks of the learned router. */
export interface LearnedSettings {
  /** Loss against always-strong that may be taken, 0..1. */
  readonly maxLoss: number;
  /** Names of the pair in the model file whose calibration counts; null: the names of the models themselves. */
  readonly pair: { readonly weak: string; readonly strong: string } | null;
  /** Without a calibration: only record what would be said, or take the lowest threshold of any pair. */
  readonly uncalibrated: 'shadow' | 'strictest';
}

/** Why a request is not one that the model was trained on. */
export type Unlike = 'words' | 'kind' | 'language' | 'tools' | 'media' | 'conversation';

/** What the learned router said of one request. */
export interface LearnedVerdict {
  /** Version of the model file. */
  readonly model: string;
  readonly gain: number;
  readonly uncertainty: number;
  /** Share of the prompt's words that the model knows. */
  readonly familiarity: number;
  /** Null when the model knows this kind of request; else how it differs from the calibration rows: the model gives no verdict. */
  readonly abstained: Unlike | null;
  /** Gains up to this go to the weak model; null when no threshold keeps the promise, or the pair has no calibration. */
  readonly threshold: number | null;
  readonly maxLoss: number;
  /** Whose calibration the threshold is from, `weak > strong`; null: none. */
  readonly calibration: string | null;
  /**
   * `weak`: the gain keeps within the threshold. `strong`: it does not, by the calibration of this very pair. Null: no verdict, the decision table is
   * asked as if the model were not there.
   */
  readonly says: 'weak' | 'strong' | null;
  /** False: no calibration, so it is only recorded. */
  readonly acts: boolean;
  /** What moved the score most. */
  readonly influences: readonly Influence[];
}

/** Features named in a record. */
const mostInfluences = 5;

/**
 * The highest threshold whose loss is at most `most` with 95% confidence; null when there is none. Thresholds are tried from the safe end and
 * the first that fails ends the search: tested in a fixed order, one level serves them all.
 */
export function thresholdFor(points: readonly PairPoint[], most: number): PairPoint | null {
  let best: PairPoint | null = null;
  for (const point of points) {
    if (point.upper > most) break;
    best = point;
  }
  return best;
}

/** Puts a request to the model and the gain to the threshold that keeps the promise. Pure. `features`: those of `exchange.lastUser`. */
export function judge(
  model: RouterModel,
  exchange: Exchange,
  features: TextFeatures,
  weakModel: string,
  settings: LearnedSettings,
): LearnedVerdict {
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
  // Another pair's "the strong one is needed" says little about these models: only its low gains, which lie on the safe side, are believed.
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

/** A prompt whose kind fits the training rows less than this has no calibration: half-way between unknown and known. */
export const leastKnown = 0.5;

/** Written in another language than the training rows, which are English. Short texts tell no language and count as English. */
function foreign(text: string, { tokens }: TextFeatures): boolean {
  const language = languageOf(text, tokens);
  return language !== 'en' && language !== 'und';
}

/** The model reads one text. What is asked with tools, media or earlier turns it has never seen. */
export function unlike({ tools, images, audioInputs, files, userTurns, lastIsToolResult }: Exchange): Unlike | null {
  if (tools > 0 || lastIsToolResult) return 'tools';
  if (images > 0 || audioInputs > 0 || files > 0) return 'media';
  return userTurns > 1 ? 'conversation' : null;
}

/** The lowest threshold of all pairs; null when one of them has none. */
function strictest(pairs: readonly PairCalibration[], maxLoss: number): number | null {
  let lowest: number | null = null;
  for (const { points } of pairs) {
    const point = thresholdFor(points, maxLoss);
    if (point === null) return null;
    lowest = lowest === null ? point.threshold : Math.min(lowest, point.threshold);
  }
  return lowest;
}
