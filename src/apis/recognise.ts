import { limits } from '../lib/limits.ts';
import type { ApiName, DialectFamily, Operation, PassReason, Recognition, RequestHead, Span } from './types.ts';

/** An API and what a call of it is for. */
interface OpenAiApi {
  readonly api: ApiName;
  readonly operation: Operation;
}

/** OpenAI's own paths, after any base such as /v1, /openai/v1 or /api/v3. */
const openaiApis: readonly (readonly [string, OpenAiApi])[] = [
  ['/chat/completions', { api: 'openai-chat', operation: 'generate' }],
  ['/completions', { api: 'openai-completions', operation: 'generate' }],
  ['/responses', { api: 'openai-responses', operation: 'generate' }],
  ['/embeddings', { api: 'openai-embeddings', operation: 'embed' }],
];

/** LLM APIs that are known and never rewritten: what they do is not a prompt, or their body is no JSON. */
const observedPaths = /\/(?:images|audio|batches|files|models|fine_tuning|moderations|realtime|assistants|threads|vector_stores|uploads|videos|containers|evals|conversations|responses\/[^/]+|chat\/completions\/[^/]+|messages\/batches|complete|chat\/completions|skills|organizations?|chatkit|cachedContents|corpora|fileSearchStores|generatedFiles|auth_tokens|operations|openai|agents|sessions|environments|memory_stores|vaults|tunedModels|interactions|projects|async-invoke|guardrail)(?:[/:]|$)/i;

const azureDeployment = /^\/openai\/deployments\/([^/]+)(\/.*)$/i;
const geminiCall = /\/models\/([^/:]+):(generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents|predict)$/i;
const bedrockCall = /^\/model\/([^/]+)\/(?:invoke|invoke-with-response-stream|converse|converse-stream)$/i;

/** Segments after these name a model: what is escaped in one belongs to its name. */
const beforeModel: ReadonlySet<string> = new Set(['model', 'models', 'deployments', 'tunedModels', 'endpoints']);
const escapedVerb = /%3a(?=[a-z]+$)/i;

/**
 * The path as providers and proxies take it that are not strict: single slashes, none at the end, dots resolved, nothing escaped that need not be. The
 * query stays. The same text where nothing was to be done.
 */
export function canonicalPath(raw: string): string {
  const query = raw.indexOf('?');
  const path = query === -1 ? raw : raw.slice(0, query);
  if (!/%|\/\/|\/\.{1,2}(?:\/|$)|.\/$/.test(path)) return raw;
  const segments: string[] = [];
  const take = (segment: string): void => {
    if (segment === '' || segment === '.') return;
    if (segment === '..') segments.pop();
    else segments.push(segment);
  };
  for (const segment of path.split('/')) {
    if (!segment.includes('%')) take(segment);
    else if (beforeModel.has(segments.at(-1) ?? '')) take(segment.replace(escapedVerb, ':'));
    else for (const part of (decoded(segment) ?? segment).split('/')) take(part);
  }
  return `/${segments.join('/')}${query === -1 ? '' : raw.slice(query)}`;
}

/**
 * What a request is by its path, method and headers. `head.path` has no gateway prefix any more. `lenient`: a body is to be read whatever its
 * headers say of it. Never throws; unknown paths pass.
 */
export function recognise(head: RequestHead, family: DialectFamily, lenient = false): Recognition {
  if (head.upgrade) return pass('upgrade');
  const query = head.path.indexOf('?');
  const path = query === -1 ? head.path : head.path.slice(0, query);
  switch (family) {
    case 'openai':
      return openai(head, path, null, lenient);
    case 'azure-openai': {
      const deployment = azureDeployment.exec(path);
      if (deployment === null) return openai(head, path, null, lenient);
      const start = '/openai/deployments/'.length;
      return openai(head, deployment[2]!, { start, end: start + deployment[1]!.length }, lenient);
    }
    case 'anthropic':
      if (/\/messages$/i.test(path)) return readable(head, { api: 'anthropic-messages', operation: 'generate' }, null, null, lenient);
      if (/\/messages\/count_tokens$/i.test(path)) return readable(head, { api: 'anthropic-count-tokens', operation: 'count' }, null, null, lenient);
      return known(path, null);
    case 'gemini': {
      const call = geminiCall.exec(path);
      if (call === null) return known(path, null);
      const start = path.length - call[2]!.length - 1 - call[1]!.length;
      const span = { start, end: start + call[1]!.length };
      const verb = call[2]!.toLowerCase();
      if (verb === 'generatecontent' || verb === 'streamgeneratecontent') {
        return readable(head, { api: 'gemini-generate', operation: 'generate' }, span, verb === 'streamgeneratecontent', lenient);
      }
      return { kind: 'observed', api: 'other-llm', model: decoded(call[1]!), reason: 'not-rewritable' };
    }
    case 'bedrock': {
      const call = bedrockCall.exec(path);
      if (call !== null) return { kind: 'observed', api: 'bedrock', model: decoded(call[1]!), reason: 'not-rewritable' };
      return known(path, null);
    }
  }
}

function openai(head: RequestHead, path: string, modelSpan: Span | null, lenient: boolean): Recognition {
  const lower = path.toLowerCase();
  for (const [suffix, api] of openaiApis) {
    if (lower.endsWith(suffix)) return readable(head, api, modelSpan, null, lenient);
  }
  return known(path, modelSpan === null ? null : decoded(head.path.slice(modelSpan.start, modelSpan.end)));
}

function readable(head: RequestHead, { api, operation }: OpenAiApi, modelSpan: Span | null, stream: boolean | null, lenient: boolean): Recognition {
  if (head.method !== 'POST') {
    // Listing or fetching stored answers lives on the same paths.
    return head.method === 'GET' || head.method === 'DELETE' ? { kind: 'observed', api: 'other-llm', model: null, reason: 'method' } : pass('method');
  }
  if (!lenient && head.contentEncoding !== '' && head.contentEncoding.toLowerCase() !== 'identity') return pass('encoded-body');
  if (!lenient && !isJson(head.contentType)) return pass('not-json');
  if (head.contentLength !== null && head.contentLength > limits.requestBodyBytes) return pass('too-large');
  if (head.contentLength === 0) return pass('no-body');
  if (modelSpan === null) return { kind: 'readable', api, operation, pathModel: null, stream };
  const model = decoded(head.path.slice(modelSpan.start, modelSpan.end));
  if (model === null || model.length > limits.modelBytes) return pass('model-unreadable');
  return { kind: 'readable', api, operation, pathModel: { model, span: modelSpan }, stream };
}

function known(path: string, model: string | null): Recognition {
  return observedPaths.test(path) ? { kind: 'observed', api: 'other-llm', model, reason: 'not-rewritable' } : pass('unknown-path');
}

function pass(reason: PassReason): Recognition {
  return { kind: 'pass', reason };
}

/** No content type at all is read as JSON: some clients leave it out, and a body that is none passes anyway. */
function isJson(contentType: string): boolean {
  if (contentType === '') return true;
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  return type === 'application/json' || type.endsWith('+json');
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
