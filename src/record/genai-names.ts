import { apis } from '../apis/registry.ts';
import type { Operation } from '../apis/types.ts';
import type { ExchangeRecord } from './types.ts';

/** Names of OpenTelemetry's semantic conventions for generative AI. */
const operationNames: Readonly<Record<Operation, string>> = {
  generate: 'chat',
  embed: 'embeddings',
  count: 'count_tokens',
  other: 'other',
};

const providerNames: Readonly<Record<string, string>> = {
  google: 'gcp.gemini',
  azure: 'azure.ai.openai',
  bedrock: 'aws.bedrock',
  mistral: 'mistral_ai',
  xai: 'x_ai',
  moonshot: 'moonshot_ai',
  vertex: 'gcp.vertex_ai',
};

/** The version of the conventions that spans follow; it is in development: https://github.com/open-telemetry/semantic-conventions-genai */
export const genAiSchemaUrl = 'https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev';

/** `gen_ai.operation.name` of an exchange. */
export function operationOf({ api, operation }: Pick<ExchangeRecord, 'api' | 'operation'>): string {
  return (api === null ? undefined : apis[api]?.request.operationName) ?? operationNames[operation];
}

/** `gen_ai.provider.name` of a provider in the policy: the convention's name if there is one, otherwise its own. */
export function providerNameOf(provider: string): string {
  return providerNames[provider] ?? provider;
}
