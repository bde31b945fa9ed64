import { tokenWeights } from './token-weights.ts';

/** Families of tokenizers by the names of their models, without a provider's prefix; the first that fits. */
const families: readonly (readonly [keyof typeof tokenWeights, RegExp])[] = [
  ['cl100k', /^(?:gpt-3\.5|gpt-35|gpt-4(?![o.\d])|text-embedding-(?:ada|3)|davinci-002|babbage-002)/],
  ['gemini', /gemini|gemma/],
  ['deepseek', /deepseek(?!.*(?:llama|qwen))/],
  ['llama', /llama/],
  ['qwen', /qwen|qwq/],
];

/**
 * The weights that estimate the tokens of a model: those of its tokenizer, if that is public, else those of o200k_base. `model` is as the
 * request has it ("gemini-2.5-flash", "accounts/x/models/qwen3-8b").
 */
export function weightsFor(model: string): readonly number[] {
  if (model === last.model) return last.weights;
  const name = model.toLowerCase().slice(model.lastIndexOf('/') + 1);
  const [family] = families.find(([, names]) => names.test(name)) ?? ['o200k' as const];
  last.model = model;
  last.weights = tokenWeights[family];
  return last.weights;
}

/** Most requests ask for the same model as the one before. */
const last: { model: string; weights: readonly number[] } = { model: '', weights: tokenWeights.o200k };
