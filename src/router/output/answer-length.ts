import type { ExchangeRecord } from '../../record/types.ts';
import { targetName } from '../../lib/target-name.ts';
import { assumedTokens } from './assumed.ts';
import type { OutputKey, OutputTokens } from './tokens.ts';

/** What one answer tells about the lengths of a model's answers. */
export interface AnswerLength {
  /** `provider/model` that answered. */
  readonly model: string;
  readonly key: OutputKey;
  /** Output tokens assumed for the task. */
  readonly assumed: number;
  /** Output tokens of one answer, `reasoning` of them for reasoning. */
  readonly tokens: number;
  readonly reasoning: number;
}

/** The length that a record tells; null unless a provider gave the whole answer just now, as long as the model wanted it. */
export function answerLength(record: ExchangeRecord): AnswerLength | null {
  const { kind, template, verdict, usage, outcome, status, request, shapeSavings, cacheEntry } = record;
  if (kind !== 'decision' || template === undefined || verdict === null || request.asks == null) return null;
  if (usage === null || outcome !== 'complete' || status !== 200 || cacheEntry !== null) return null;
  // The length of a capped answer says nothing about others.
  if (shapeSavings !== undefined) return null;
  const served = record.attempts.at(-1)?.target;
  if (served === undefined) return null;
  const task = verdict.classifiedTask ?? verdict.task;
  const { userUnits, maxOutputTokens, answers } = request.asks;
  // Several answers to one request count with their mean.
  const count = Math.max(1, answers);
  const tokens = usage.totalOutput / count;
  // Cut at the app's limit, or longer than its provider was asked for: against that limit it would say that all answers are long.
  if (maxOutputTokens !== null && tokens >= maxOutputTokens) return null;
  return {
    model: targetName(served.provider, served.model),
    key: { template, kind: task, units: userUnits },
    assumed: assumedTokens(task, userUnits, maxOutputTokens),
    tokens,
    reasoning: usage.reasoning / count,
  };
}

/** Learns the length of an answer; null teaches nothing. */
export function learnLength(outputs: OutputTokens, length: AnswerLength | null): void {
  if (length !== null) outputs.observe(length.model, length.key, length.assumed, length.tokens, length.reasoning);
}
