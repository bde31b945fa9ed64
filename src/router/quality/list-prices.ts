import type { Catalog } from '../../catalog/types.ts';
import { canonicalName } from './names.ts';

/** US dollars per million tokens. */
export interface ListPrice {
  readonly input: number;
  readonly output: number;
}

/**
 * List prices of 2024 models that public rows name and that catalogs have dropped: the maker's price, or for open models the usual hosts'
 * price, as published late that year. Only for comparing models on such rows.
 */
const listed: Readonly<Record<string, readonly [number, number]>> = {
  'athene-70b': [0.88, 0.88],
  'claude-3-5-sonnet-20240620': [3, 15],
  'claude-3-haiku-20240307': [0.25, 1.25],
  'claude-3-opus-20240229': [15, 75],
  'claude-3-sonnet-20240229': [3, 15],
  'claude-3-5-sonnet-20241022': [3, 15],
  'command-r': [0.15, 0.6],
  'command-r-plus': [2.5, 10],
  'deepseek-chat': [0.14, 0.28],
  'deepseek-coder': [0.14, 0.28],
  'deepseek-coder-v2-0724': [0.14, 0.28],
  'deepseek-v2-chat-0628': [0.14, 0.28],
  'deepseek-v2-coder-0614': [0.14, 0.28],
  'deepseek-v2-coder-0724': [0.14, 0.28],
  'deepseek-v2.5-0908': [0.14, 0.28],
  'deepseek-v2.5': [0.14, 0.28],
  'gemini-1.5-flash': [0.075, 0.3],
  'gemini-1.5-flash-exp-0827': [0.075, 0.3],
  'gemini-1.5-pro': [1.25, 5],
  'gemini-1.5-pro-exp-0801': [1.25, 5],
  'gemini-1.5-pro-exp-0827': [1.25, 5],
  'gemma-2-27b-it': [0.8, 0.8],
  'gemma-2-2b-it': [0.1, 0.1],
  'gemma-2-9b-it': [0.2, 0.2],
  'gpt-3.5-turbo-0125': [0.5, 1.5],
  'gpt-4-0314': [30, 60],
  'gpt-4-turbo-2024-04-09': [10, 30],
  'gpt-4o-2024-05-13': [5, 15],
  'gpt-4o-2024-08-06': [2.5, 10],
  'gpt-4o-mini-2024-07-18': [0.15, 0.6],
  'llama-3-70b-instruct': [0.88, 0.88],
  'llama-3-8b-instruct': [0.2, 0.2],
  'llama-3.1-405b-instruct': [3.5, 3.5],
  'llama-3.1-70b-instruct': [0.88, 0.88],
  'llama-3.1-8b-instruct': [0.18, 0.18],
  'mistral-large-2': [2, 6],
  'mistral-nemo-instruct-2407': [0.15, 0.15],
  'mixtral-8x7b-instruct-v0.1': [0.6, 0.6],
  'o1-mini-2024-09-12': [3, 12],
  'o1-preview-2024-09-12': [15, 60],
  'phi-3-mini-4k-instruct': [0.1, 0.1],
  'phi-3.5-mini-instruct': [0.1, 0.1],
  'qwen2-72b-instruct': [0.9, 0.9],
  'qwen2-7b-instruct': [0.2, 0.2],
  'qwen2.5-72b-instruct': [1.2, 1.2],
  'qwen2.5-7b-instruct': [0.3, 0.3],
  'qwen1.5-72b-chat': [0.9, 0.9],
  'reka-core-20240501': [3, 15],
  'reka-flash-20240226': [0.8, 2],
  'yi-1.5-34b-chat': [0.8, 0.8],
  'yi-1.5-9b-chat': [0.3, 0.3],
  'yi-large': [3, 3],
};

/**
 * Price of a model named in a row: from the table, otherwise from the catalog's first provider with a model of this name; null if neither
 * has one.
 */
export function listPrice(model: string, catalog: Catalog): ListPrice | null {
  const found = listed[canonicalName(model)] ?? listed[canonicalName(model, true)];
  if (found !== undefined) return { input: found[0], output: found[1] };
  const name = model.slice(model.lastIndexOf('/') + 1);
  for (const provider of catalog.providers()) {
    const prices = catalog.lookup(provider, name)?.prices;
    if (prices?.input != null && prices.output !== null) return { input: prices.input, output: prices.output };
  }
  return null;
}

/** Whether a model reasons before it answers, judged by its name: its price is not meaningful without its reasoning tokens. */
export function reasons(model: string): boolean {
  return /^o\d|reasoner|-r1\b|qwq|thinking/.test(canonicalName(model));
}
