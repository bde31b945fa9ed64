import type { AnthropicTraits, GeminiTraits, OpenAiTraits } from './models.ts';
import type { Parameter, ParameterValue } from '../types.ts';

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

/** The two names of the limit on an answer in OpenAI's words. */
export type LimitName = 'max_tokens' | 'max_completion_tokens';

/** What the models of one wire format refuse. */
export interface ParameterTable {
  /** For people: whose API it is. */
  readonly title: string;
  readonly rules: readonly ParameterRule[];
  /** The name under which a model takes the limit on its answer (null: it takes either); null: its API has one name. */
  readonly limitName: ((model: AskedModel) => LimitName | null) | null;
}
