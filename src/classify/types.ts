import { textFields, textTasks, type TextField, type TextTask } from './text/heads.ts';

export type Tier = 'simple' | 'standard' | 'complex';

export const tiers: readonly Tier[] = ['simple', 'standard', 'complex'];

/**
 * The kind of work that the prompt asks for. Closed list: it is a label and a rule variable. `agent`: the last message is a tool's result.
 */
export type TaskType = TextTask | 'agent' | 'unknown';

export const taskTypes: readonly TaskType[] = [...textTasks, 'agent', 'unknown'];

/** The field of knowledge that the prompt is about. Closed list. */
export type Domain = TextField;

export const domains: readonly Domain[] = textFields;

/** One signal's share of the score. The `share` values plus the base add up to the unclamped score. */
export interface Signal {
  readonly name: string;
  /** The observation: a count, a length, a word class. */
  readonly value: number | string | boolean;
  /** Signed share of the score. */
  readonly share: number;
}

/** Signals that a verdict may have, besides those that match `taughtSignal`. */
export const signalNames = [
  'text',
  'embedding',
  'context',
  'tools',
  'images',
  'audio',
  'files',
  'jsonSchema',
  'depth',
  'toolResult',
  'reasoning',
] as const;

/** Signals of what the policy teaches. */
export const taughtSignal = /^(?:example|words|template) ./;

export interface Verdict {
  readonly tier: Tier;
  /** 0 (simple) to 1 (complex). */
  readonly score: number;
  /** 0..1: the classifier's confidence in the tier. */
  readonly confidence: number;
  /** The score is within the policy's margin below a threshold, so the safer tier was taken. */
  readonly unsure: boolean;
  readonly task: TaskType;
  /** The task as classified, if the caller declared the one above; absent if the caller declared none. */
  readonly classifiedTask?: TaskType;
  /** Probability of each task that has at least `shownFrom`, from the text alone. Absent in records of earlier versions. */
  readonly tasks?: Readonly<Partial<Record<TaskType, number>>>;
  readonly domain: Domain;
  /** The same for domains; independent of each other, since a prompt may belong to several. */
  readonly domains?: Readonly<Partial<Record<Domain, number>>>;
  /**
   * Expected level of knowledge and reasoning that a good answer needs, 1 (everyday) to 5 (expert). Absent in records of earlier versions.
   */
  readonly level?: number;
  /** BCP-47 primary tag of the prompt's main language, `und` when undetermined. */
  readonly language: string;
  readonly signals: readonly Signal[];
}

/** Lowest probability that a verdict includes. */
export const shownFrom = 0.05;

/**
 * The decision table: simple if below both of the first limits, standard if below both of the second, else complex. Tokens are those of the
 * whole prompt; Infinity means that size does not count. A score within `margin` below a limit takes the tier above.
 */
export interface TierThresholds {
  readonly simple: { readonly score: number; readonly tokens: number };
  readonly standard: { readonly score: number; readonly tokens: number };
  readonly margin: number;
}

/** By default size decides a tier only for prompts so long that small models lose track; a policy may set other limits. */
export const defaultThresholds: TierThresholds = {
  simple: { score: 0.3, tokens: 40_000 },
  standard: { score: 0.6, tokens: 80_000 },
  margin: 0,
};
