/** The APIs whose calls Sluice knows by name: each has its entry in the registry. */
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

/** The wire formats that a provider may speak; a provider in a policy names one. */
export const dialectNames = ['openai', 'azure-openai', 'anthropic', 'gemini', 'cohere', 'bedrock'] as const;
export type DialectFamily = (typeof dialectNames)[number];
