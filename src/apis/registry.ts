import { anthropicCountApi, anthropicMessagesApi } from './anthropic/api.ts';
import { anthropicDialect } from './anthropic/dialect.ts';
import type { Api, Dialect } from './api.ts';
import { azureOpenAiDialect } from './azure-openai/dialect.ts';
import { bedrockApi } from './bedrock/api.ts';
import { bedrockDialect } from './bedrock/dialect.ts';
import { cohereChatApi, cohereDialect } from './cohere/api.ts';
import { geminiGenerateApi } from './gemini/api.ts';
import { geminiDialect } from './gemini/dialect.ts';
import type { ApiName, DialectFamily } from './names.ts';
import { openaiDialect } from './openai/dialect.ts';
import { openaiChatApi } from './openai-chat/api.ts';
import { openaiCompletionsApi } from './openai-completions/api.ts';
import { openaiEmbeddingsApi } from './openai-embeddings/api.ts';
import { openaiResponsesApi } from './openai-responses/api.ts';
import { otherApi } from './other/api.ts';

/** All wire formats that a provider can speak: first the one that is assumed where nothing else is known, then in the order of matching. */
export const dialects: Readonly<Record<DialectFamily, Dialect>> = {
  openai: openaiDialect,
  anthropic: anthropicDialect,
  gemini: geminiDialect,
  cohere: cohereDialect,
  'azure-openai': azureOpenAiDialect,
  bedrock: bedrockDialect,
};

/** All known APIs. */
export const apis: Readonly<Record<ApiName, Api>> = {
  'openai-chat': openaiChatApi,
  'openai-completions': openaiCompletionsApi,
  'openai-responses': openaiResponsesApi,
  'openai-embeddings': openaiEmbeddingsApi,
  'anthropic-messages': anthropicMessagesApi,
  'anthropic-count-tokens': anthropicCountApi,
  'gemini-generate': geminiGenerateApi,
  'cohere-chat': cohereChatApi,
  bedrock: bedrockApi,
  'other-llm': otherApi(Object.values(dialects)),
};

export const apiNames = Object.keys(apis) as readonly ApiName[];
export const dialectNames = Object.keys(dialects) as readonly DialectFamily[];
