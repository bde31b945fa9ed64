import type { Capabilities, ModelEntry } from './types.ts';

/** What a provider documents about its chat models and the price list does not have, or has otherwise. */
interface Documented {
  readonly models: RegExp;
  readonly capabilities: Partial<Capabilities>;
}

const byProvider: Readonly<Record<string, Documented>> = {
  // Cohere: "Structured Outputs", compatible models.
  cohere: { models: /^command-(?:a|r|r-plus|r7b)(?:-|$)/, capabilities: { jsonObject: true, jsonSchema: true } },
  // DeepSeek: "JSON Output", which has json_object alone.
  deepseek: { models: /^deepseek-/, capabilities: { jsonObject: true, jsonSchema: false } },
};

/** An entry with what its provider documents. A policy's own statement still counts more. */
export function withDocumented(entry: ModelEntry): ModelEntry {
  const known = Object.hasOwn(byProvider, entry.provider) ? byProvider[entry.provider] : undefined;
  if (known === undefined || entry.mode !== 'chat' || !known.models.test(entry.model)) return entry;
  return { ...entry, capabilities: { ...entry.capabilities, ...known.capabilities } };
}
