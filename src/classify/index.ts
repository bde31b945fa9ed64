import type { Exchange } from '../dialects/types.ts';
import { featureNames, textFeatures, type FeatureName, type TextFeatures } from './features.ts';
import { languageOf } from './language.ts';
import { domainOf, taskOf } from './task.ts';
import { defaultThresholds, type Signal, type Tier, type TierThresholds, type Verdict } from './types.ts';
import { baseScore, requestWeights, textWeights, unsureMargin } from './weights.ts';

/** Word classes that make a system prompt heavy: it says what kind of work every turn is. */
const heavy: ReadonlySet<FeatureName> = new Set<FeatureName>(['prove', 'derive', 'design', 'implement', 'scale', 'plan', 'review', 'expertDomain', 'steps']);

/**
 * Tier and score of a request, from its text and its shape. Deterministic; linear in limits.textUnits. Every signal's share
 * is in the verdict: the shares add up to the unclamped score. Unsure means the safer tier.
 */
export function classifyRequest(exchange: Exchange, thresholds: TierThresholds = defaultThresholds): Verdict {
  const features = textFeatures(exchange.lastUser);
  const signals: Signal[] = [{ name: 'base', value: true, share: baseScore }];
  textSignals(features, signals);
  if (exchange.system !== '') systemSignals(textFeatures(exchange.system), features, signals);
  requestSignals(exchange, signals);

  let sum = 0;
  for (const signal of signals) sum += signal.share;
  const score = Math.round(Math.min(1, Math.max(0, sum)) * 1e4) / 1e4;
  const tokens = exchange.promptTokens;
  const plain = tierOf(score, tokens, thresholds);
  const careful = tierOf(score + unsureMargin, tokens, thresholds);
  const nearest = Math.min(Math.abs(score - thresholds.simple.score), Math.abs(score - thresholds.standard.score));
  return {
    tier: careful,
    score,
    confidence: Math.round(Math.min(1, 0.5 + nearest * 2.5) * 100) / 100,
    unsure: careful !== plain,
    task: taskOf(exchange, features),
    domain: domainOf(features),
    language: languageOf(exchange.lastUser),
    signals,
  };
}

/** The decision table: both the score and the size must be below a tier's limits. */
function tierOf(score: number, tokens: number, { simple, standard }: TierThresholds): Tier {
  if (score < simple.score && tokens < simple.tokens) return 'simple';
  if (score < standard.score && tokens < standard.tokens) return 'standard';
  return 'complex';
}

function textSignals(features: TextFeatures, signals: Signal[]): void {
  for (let i = 0; i < featureNames.length; i++) {
    const name = featureNames[i]!;
    const share = textWeights[name] * features.values[i]!;
    if (share !== 0) signals.push({ name, value: shown(name, features), share });
  }
}

function shown(name: FeatureName, { seen, words, values }: TextFeatures): number {
  switch (name) {
    case 'length':
    case 'longText':
      return seen.units;
    case 'questions':
      return seen.questions;
    case 'listItems':
      return seen.listItems;
    case 'codeFence':
      return seen.codeFences;
    case 'constraints':
      return words.constraint ?? 0;
    default:
      return name in words ? (words[name as keyof typeof words] ?? 0) : Math.round(values[featureNames.indexOf(name)]! * 100) / 100;
  }
}

/** A heavy class counts once: what the prompt already said is not said again by its system prompt. */
function systemSignals(system: TextFeatures, prompt: TextFeatures, signals: Signal[]): void {
  for (let i = 0; i < featureNames.length; i++) {
    const name = featureNames[i]!;
    if (!heavy.has(name) || system.values[i] === 0 || prompt.values[i]! > 0) continue;
    signals.push({ name: `system.${name}`, value: true, share: textWeights[name] * system.values[i]! * requestWeights.systemShare });
  }
}

function requestSignals(exchange: Exchange, signals: Signal[]): void {
  const add = (name: string, value: Signal['value'], share: number): void => {
    if (share !== 0) signals.push({ name, value, share });
  };
  const counted = (name: string, count: number, { first, each, most }: { readonly first: number; readonly each: number; readonly most: number }): void => {
    if (count > 0) add(name, count, Math.min(most, first + each * (count - 1)));
  };
  counted('tools', exchange.tools, requestWeights.tools);
  counted('images', exchange.images, requestWeights.image);
  counted('audio', exchange.audioInputs, requestWeights.audio);
  counted('files', exchange.files, requestWeights.file);
  if (exchange.jsonOutput === 'schema') add('jsonSchema', true, requestWeights.jsonSchema);
  if (exchange.jsonOutput === 'object') add('jsonObject', true, requestWeights.jsonObject);
  if (exchange.userTurns > 1) add('depth', exchange.userTurns, Math.min(requestWeights.depth.most, requestWeights.depth.each * (exchange.userTurns - 1)));
  if (exchange.lastIsToolResult) add('toolResult', true, requestWeights.toolResult);
  if (exchange.reasoning !== null) add('reasoning', exchange.reasoning, reasoningShare(exchange.reasoning));
}

function reasoningShare(effort: string): number {
  switch (effort) {
    case 'none':
    case 'minimal':
    case 'disabled':
      return 0;
    case 'low':
      return requestWeights.reasoning.low;
    case 'medium':
    case 'enabled':
    case 'adaptive':
    case 'thinking':
      return requestWeights.reasoning.medium;
    default:
      return requestWeights.reasoning.high;
  }
}
