/** The APIs whose calls Sluice knows by name; each has an entry in the registry. */
export const apiNames = [
  'openai-chat',
  'openai-completions',
  'openai-responses',
  'openai-embeddings',
  'anthropic-messages',
  'anthropic-count-tokens',
  'gemini-generate',
  'cohere-chat',
  'bedrock',
  'other-llm',
] as const;
export type ApiName = (typeof apiNames)[number];

/** The wire formats that a provider can speak; a policy names one for each provider. */
export const dialectNames = ['openai', 'azure-openai', 'anthropic', 'gemini', 'cohere', 'bedrock'] as const;
export type DialectFamily = (typeof dialectNames)[number];
