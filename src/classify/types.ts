export type Tier = 'simple' | 'standard' | 'complex';

export const tiers: readonly Tier[] = ['simple', 'standard', 'complex'];

/** What kind of work the prompt asks for. Closed list: it is a label and a rule variable. */
export type TaskType =
  | 'classification'
  | 'extraction'
  | 'translation'
  | 'summary'
  | 'rewrite'
  | 'question'
  | 'open-ended'
  | 'code'
  | 'maths'
  | 'agent'
  | 'unknown';

export type Domain = 'general' | 'medical' | 'legal' | 'finance' | 'code' | 'maths';

/** One signal's share of the score. `share` sums (with the base) to the unclamped score. */
export interface Signal {
  readonly name: string;
  /** What was seen: a count, a length, a word class. */
  readonly value: number | string | boolean;
  /** Signed share of the score. */
  readonly share: number;
}

export interface Verdict {
  readonly tier: Tier;
  /** 0 (simple) to 1 (complex). */
  readonly score: number;
  /** 0..1: how sure the classifier is; below its limit the safer tier is taken and `unsure` is true. */
  readonly confidence: number;
  readonly unsure: boolean;
  readonly task: TaskType;
  readonly domain: Domain;
  /** BCP-47 primary tag of the prompt's main language, `und` when undetermined. */
  readonly language: string;
  readonly signals: readonly Signal[];
}

/** Score and token thresholds of the decision table: simple below both of the first, standard below both of the second, else complex. */
export interface TierThresholds {
  readonly simple: { readonly score: number; readonly tokens: number };
  readonly standard: { readonly score: number; readonly tokens: number };
}

export const defaultThresholds: TierThresholds = {
  simple: { score: 0.3, tokens: 500 },
  standard: { score: 0.6, tokens: 2000 },
};
