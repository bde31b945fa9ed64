import type { AnthropicTraits, GeminiTraits, OpenAiTraits } from './models.ts';
import type { Parameter, ParameterValue } from '../types.ts';

/** A model that is checked for the parameters that it accepts. */
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
  /** Names as in requests; a name that ends in `*` is a prefix. */
  readonly parameters: readonly string[];
  /** For people: the refused values, and the models that refuse them. */
  readonly values: string;
  readonly models: string;
  /** The document that says so. */
  readonly source: string;
  /** An example value that the rule refuses, for policy checks. */
  readonly sample: ParameterValue;
  readonly refuses: (model: AskedModel, parameter: Parameter, request: readonly Parameter[]) => boolean;
}

/** OpenAI's two names of the limit on an answer. */
export type LimitName = 'max_tokens' | 'max_completion_tokens';

/** The parameters that the models of one wire format refuse. */
export interface ParameterTable {
  /** For people: whose API it is. */
  readonly title: string;
  readonly rules: readonly ParameterRule[];
  /** The name of the limit that a model accepts (null: either); null if the API has only one name. */
  readonly limitName: ((model: AskedModel) => LimitName | null) | null;
}
