import type { AnthropicTraits, GeminiTraits, OpenAiTraits } from '../common/models.ts';
import type { Parameter, ParameterValue } from '../types.ts';

/** Whose wire format a rule is about. */
export type ParameterFamily = 'openai' | 'anthropic' | 'gemini';

/** A model that is asked whether it takes a request's parameters. */
export interface AskedModel {
  /** The catalog's name of the provider. */
  readonly provider: string;
  readonly model: string;
  readonly openai: OpenAiTraits;
  readonly anthropic: AnthropicTraits;
  readonly gemini: GeminiTraits;
}

/** One line of the table: which models refuse which parameters. */
export interface ParameterRule {
  readonly family: ParameterFamily;
  /** Names as requests have them; one that ends in `*` stands for all that begin so. */
  readonly parameters: readonly string[];
  /** For people: which values are refused, and by which models. */
  readonly values: string;
  readonly models: string;
  /** Where that is written. */
  readonly source: string;
  /** A value that shows the rule, for checks of a policy. */
  readonly sample: ParameterValue;
  readonly refuses: (model: AskedModel, parameter: Parameter, request: readonly Parameter[]) => boolean;
}
