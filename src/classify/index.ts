import type { ParsedRequest } from '../apis/types.ts';
import type { Embedded } from './embedding/embedder.ts';
import { embeddingHeads } from './embedding/heads.ts';
import { confirmations } from './text/concepts.ts';
import { textModel } from './text/file.ts';
import { textFields, textTasks } from './text/heads.ts';
import type { Joined, TextModel, TextVerdict } from './text/model.ts';
import type { Teaching } from './text/teaching.ts';
import { requestWeights } from './weights.ts';
import {
  defaultThresholds,
  shownFrom,
  taskTypes,
  type Signal,
  type TaskType,
  type Tier,
  type TierThresholds,
  type Verdict,
} from './types.ts';

export interface ClassifyOptions {
  readonly thresholds?: TierThresholds;
  /** What the policy teaches: labelled prompts, words, and templates. */
  readonly taught?: Teaching | null;
  /** What the prompt's vector adds, and how it came; null if no sentence model is asked. */
  readonly embedded?: Embedded | null;
  /** The model; by default the one that ships with Sluice. */
  readonly model?: TextModel;
}

/**
 * Tier, score, task and domain of a request. It classifies the ask: the last user message, under its system prompt; a short answer ("yes,
 * do it") and a tool's result are classified with the turns before them. Deterministic; linear in the part of the text that is read. The
 * shares of the signals add up to the score before it is clamped to 0..1. Throws SluiceError if the model that ships with Sluice cannot be
 * read.
 */
export function classifyRequest(
  exchange: ParsedRequest,
  { thresholds = defaultThresholds, taught = null, embedded = null, model = textModel() }: ClassifyOptions = {},
): Verdict {
  taught?.about(exchange);
  const nudge = taught?.nudge ?? null;
  const joined = embedded === null ? null : joinedOf(embedded);
  const alone = joined === null ? 0 : model.read(exchange.lastUser, exchange.system, nudge).score;
  const text = model.read(exchange.lastUser, exchange.system, nudge, joined);
  const confirmed = exchange.userTurns > 1 && exchange.lastUser.length <= shortTurn && confirms(model.grams.text.words);
  const { language } = text;
  // Taken before the model reads anything else, because its tables are reused.
  const tasks = shown(textTasks, text.tasks);
  const domains = shown(textFields, text.fields);
  let earlier = confirmed ? thresholds.simple.score : 0;
  if (exchange.context !== '' && (confirmed || exchange.lastIsToolResult))
    earlier = Math.max(earlier, model.read(exchange.context, exchange.system).score);
  const share = joined === null ? text.score : alone;
  const signals: Signal[] = [{ name: 'text', value: hundredths(text.level), share }];
  if (embedded !== null) signals.push({ name: 'embedding', value: embedded.result, share: text.score - share });
  const own = taught === null ? text.score : text.score + taughtShare(taught, text.score, thresholds, signals);
  if (earlier > own) signals.push({ name: 'context', value: true, share: earlier - own });
  requestSignals(exchange, signals);
  let sum = 0;
  for (let at = 0; at < signals.length; at++) sum += signals[at]!.share;
  const score = Math.round(Math.min(1, Math.max(0, sum)) * 1e4) / 1e4;
  const { tier, unsure } = tierBy(score, exchange.promptTokens, thresholds);
  return {
    tier,
    unsure,
    score,
    confidence: confidenceOf(score, text, thresholds),
    task: taskOf(exchange, text),
    tasks,
    domain: text.field,
    domains,
    level: hundredths(text.level),
    language,
    signals,
  };
}

function joinedOf({ addition }: Embedded): Joined | null {
  return addition === null ? null : { keep: embeddingHeads().document.keep, addition };
}

const sayable: ReadonlySet<string> = new Set(taskTypes.filter((task) => task !== 'unknown'));

/** A verdict with the task that the caller declared; the caller's task wins. Unchanged if it is null or not a known task. */
export function withSaidTask(verdict: Verdict, said: string | null): Verdict {
  return said === null || !sayable.has(said) ? verdict : { ...verdict, task: said as TaskType, classifiedTask: verdict.task };
}

/** The tier of a verdict under other thresholds; its score and signals do not change. */
export function retier(verdict: Pick<Verdict, 'score'>, tokens: number, thresholds: TierThresholds): Pick<Verdict, 'tier' | 'unsure'> {
  return tierBy(verdict.score, tokens, thresholds);
}

function tierBy(score: number, tokens: number, thresholds: TierThresholds): Pick<Verdict, 'tier' | 'unsure'> {
  const tier = tierOf(score + thresholds.margin, tokens, thresholds);
  return { tier, unsure: thresholds.margin > 0 && tier !== tierOf(score, tokens, thresholds) };
}

/** Both the score and the size must be below a tier's limits. */
function tierOf(score: number, tokens: number, { simple, standard }: TierThresholds): Tier {
  if (score < simple.score && tokens < simple.tokens) return 'simple';
  if (score < standard.score && tokens < standard.tokens) return 'standard';
  return 'complex';
}

/** Adds a signal for each lesson that moved the prompt. Returns how far the lesson with a tier moves the score. */
function taughtShare({ moved, tier }: Teaching, score: number, thresholds: TierThresholds, signals: Signal[]): number {
  const share = tier === null ? 0 : tier.strength * (within(tier.labels.tier!, score, thresholds) - score);
  for (const { signal, value } of moved) signals.push({ name: signal, value, share: signal === tier?.signal ? share : 0 });
  return share;
}

/** The score nearest to this one that is clearly in a tier, outside every margin. */
function within(tier: Tier, score: number, { simple, standard, margin }: TierThresholds): number {
  const from = tier === 'simple' ? 0 : tier === 'standard' ? simple.score : standard.score;
  const to = tier === 'simple' ? simple.score : tier === 'standard' ? standard.score : 1;
  const inset = 0.2 * (to - from);
  const low = from + inset;
  return Math.min(Math.max(score, low), Math.max(from, to - inset - (tier === 'complex' ? 0 : margin)));
}

/** Distance to the nearest threshold, reduced when the model does not know the words. */
function confidenceOf(score: number, { familiarity }: TextVerdict, { simple, standard }: TierThresholds): number {
  const nearest = Math.min(Math.abs(score - simple.score), Math.abs(score - standard.score));
  return hundredths(Math.min(1, 0.5 + nearest * 2.5) * (0.7 + 0.3 * Math.min(1, familiarity * 1.5)));
}

function taskOf(exchange: ParsedRequest, text: TextVerdict): TaskType {
  if (exchange.lastIsToolResult || (exchange.tools > 0 && exchange.userTurns > 1)) return 'agent';
  return exchange.lastUser.trim() === '' ? 'unknown' : text.task;
}

function shown<N extends string>(names: readonly N[], values: Float64Array): Partial<Record<N, number>> {
  const found: Partial<Record<N, number>> = {};
  for (let at = 0; at < names.length; at++) if (values[at]! >= shownFrom) found[names[at]!] = hundredths(values[at]!);
  return found;
}

const hundredths = (value: number): number => Math.round(value * 100) / 100;

/** Longest last message that is read as a confirmation, in UTF-16 units. */
const shortTurn = 60;

const hits = new Uint8Array(1);

/** "Yes, do it": the work was described earlier, so it cannot be assumed to be simple. */
function confirms(words: readonly string[]): boolean {
  hits.fill(0);
  confirmations.countTokens(words, hits);
  for (const word of words) confirmations.countUnspaced(word, hits);
  return hits[0]! > 0;
}

function requestSignals(exchange: ParsedRequest, signals: Signal[]): void {
  addCounted(signals, 'tools', exchange.tools, requestWeights.tools);
  addCounted(signals, 'images', exchange.images, requestWeights.image);
  addCounted(signals, 'audio', exchange.audioInputs, requestWeights.audio);
  addCounted(signals, 'files', exchange.files, requestWeights.file);
  if (exchange.jsonOutput === 'schema') addSignal(signals, 'jsonSchema', true, requestWeights.jsonSchema);
  if (exchange.userTurns > 1) {
    const { most, each } = requestWeights.depth;
    addSignal(signals, 'depth', exchange.userTurns, Math.min(most, each * (exchange.userTurns - 1)));
  }
  if (exchange.lastIsToolResult) addSignal(signals, 'toolResult', true, requestWeights.toolResult);
  if (exchange.reasoning !== null) addSignal(signals, 'reasoning', exchange.reasoning, reasoningShare(exchange.reasoning));
}

interface CountWeights {
  readonly first: number;
  readonly each: number;
  readonly most: number;
}

function addCounted(signals: Signal[], name: string, count: number, { first, each, most }: CountWeights): void {
  if (count > 0) addSignal(signals, name, count, Math.min(most, first + each * (count - 1)));
}

function addSignal(signals: Signal[], name: string, value: Signal['value'], share: number): void {
  if (share !== 0) signals.push({ name, value, share });
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
