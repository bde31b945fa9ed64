import type { Exchange } from '../apis/types.ts';
import { featureNames, textFeatures, type FeatureName, type TextFeatures } from './features.ts';
import { languageOf } from './language.ts';
import { domainOf, taskOf } from './task.ts';
import { defaultThresholds, type Signal, type Tier, type TierThresholds, type Verdict } from './types.ts';
import { baseScore, confirmationUnits, requestWeights, textWeights, unsureMargin } from './weights.ts';

/** Signals that say how much text there is, not what it asks for. */
const sizeOnly: ReadonlySet<string> = new Set(['base', 'length', 'longText', 'listItems']);

/** Word classes that make a system prompt heavy: it says what kind of work every turn is. */
const heavy: ReadonlySet<FeatureName> = new Set<FeatureName>(['prove', 'derive', 'design', 'implement', 'scale', 'plan', 'review', 'expertDomain', 'steps']);

/**
 * Tier and score of a request, from its text and its shape. Deterministic; linear in limits.textUnits. Every signal's share
 * is in the verdict: the shares add up to the unclamped score. Unsure means the safer tier. `features`: those of the last user turn, where
 * they are known already.
 */
export function classifyRequest(exchange: Exchange, thresholds: TierThresholds = defaultThresholds, features: TextFeatures = textFeatures(exchange.lastUser)): Verdict {
  const signals: Signal[] = [{ name: 'base', value: true, share: baseScore }];
  textSignals(features, signals);
  const stated: TextFeatures[] = [features];
  if (exchange.system !== '') {
    const system = textFeatures(exchange.system);
    heavySignals('system', system, stated, signals);
    stated.push(system);
  }
  if (continues(exchange, features)) {
    if (!exchange.lastIsToolResult) signals.push({ name: 'continuation', value: true, share: requestWeights.continuation });
    if (exchange.context !== '') heavySignals('context', textFeatures(exchange.context), stated, signals);
  }
  requestSignals(exchange, signals);

  let sum = 0;
  for (const signal of signals) sum += signal.share;
  const score = Math.round(Math.min(1, Math.max(0, sum)) * 1e4) / 1e4;
  const tokens = exchange.promptTokens;
  const plain = tierOf(score, tokens, thresholds);
  const evidence = signals.some(({ name }) => !sizeOnly.has(name));
  const careful = tierOf(score + (evidence ? unsureMargin.withEvidence : unsureMargin.sizeOnly), tokens, thresholds);
  const nearest = Math.min(Math.abs(score - thresholds.simple.score), Math.abs(score - thresholds.standard.score));
  const confidence = Math.min(1, 0.5 + nearest * 2.5) * (evidence ? 1 : 0.8);
  return {
    tier: careful,
    score,
    confidence: Math.round(confidence * 100) / 100,
    unsure: careful !== plain,
    task: taskOf(exchange, features),
    domain: domainOf(features),
    language: languageOf(exchange.lastUser, features.tokens),
    signals,
  };
}

/** The tier that other thresholds give a verdict: its score and signals stay what they are. */
export function retier(verdict: Pick<Verdict, 'score' | 'signals'>, tokens: number, thresholds: TierThresholds): Pick<Verdict, 'tier' | 'unsure'> {
  const evidence = verdict.signals.some(({ name }) => !sizeOnly.has(name));
  const tier = tierOf(verdict.score + (evidence ? unsureMargin.withEvidence : unsureMargin.sizeOnly), tokens, thresholds);
  return { tier, unsure: tier !== tierOf(verdict.score, tokens, thresholds) };
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

/** A short "yes, do it" or a tool's result: the work was stated in earlier turns. */
function continues(exchange: Exchange, { words, seen }: TextFeatures): boolean {
  if (exchange.lastIsToolResult) return true;
  return exchange.userTurns > 1 && words.confirm !== undefined && seen.units <= confirmationUnits;
}

/** Heavy classes of the system prompt or of earlier turns. A class counts once: what was `stated` already is not said again. */
function heavySignals(from: 'system' | 'context', text: TextFeatures, stated: readonly TextFeatures[], signals: Signal[]): void {
  for (let i = 0; i < featureNames.length; i++) {
    const name = featureNames[i]!;
    if (!heavy.has(name) || text.values[i] === 0 || stated.some(({ values }) => values[i]! > 0)) continue;
    signals.push({ name: `${from}.${name}`, value: true, share: textWeights[name] * text.values[i]! * requestWeights.systemShare });
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
