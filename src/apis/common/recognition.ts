import { limits } from '../../lib/limits.ts';
import type { ApiName, Operation, PassReason, Recognition, RequestHead, Span } from '../types.ts';

/** An API and the purpose of a call. */
export interface ApiCall {
  readonly api: ApiName;
  readonly operation: Operation;
}

/** Known LLM APIs that are never rewritten: their calls are not prompts to an LLM, or their body is not JSON. */
const observedPaths =
  /\/(?:images|audio|batches|files|models|fine_tuning|moderations|realtime|assistants|threads|vector_stores|uploads|videos|containers|evals|conversations|responses\/[^/]+|chat\/completions\/[^/]+|messages\/batches|complete|chat\/completions|skills|organizations?|chatkit|cachedContents|corpora|fileSearchStores|generatedFiles|auth_tokens|operations|openai|agents|sessions|environments|memory_stores|vaults|tunedModels|interactions|projects|async-invoke|guardrail|re-?rank|rankings?|score|pooling|classify|classifications|(?:multimodal|contextualized)-?embeddings|embed|ocr|segment|tokenize|detokenize)(?:[/:]|$)/i;

/**
 * Classifies a call of an API by its method and headers. `modelSpan`: the model's position in the head's path; `stream`: whether the path
 * asks for one.
 */
export function readable(
  head: RequestHead,
  { api, operation }: ApiCall,
  modelSpan: Span | null,
  stream: boolean | null,
  lenient: boolean,
): Recognition {
  if (head.method !== 'POST') {
    // Stored answers are listed and fetched on the same paths.
    return head.method === 'GET' || head.method === 'DELETE'
      ? { kind: 'observed', api: 'other-llm', model: null, reason: 'method' }
      : pass('method');
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

/** A call that is not rewritten, if its path is known. */
export function known(path: string, model: string | null): Recognition {
  return observedPaths.test(path) ? { kind: 'observed', api: 'other-llm', model, reason: 'not-rewritable' } : pass('unknown-path');
}

export function pass(reason: PassReason): Recognition {
  return { kind: 'pass', reason };
}

/** A missing content type counts as JSON: some clients omit it, and a body that is not JSON passes anyway. */
function isJson(contentType: string): boolean {
  if (contentType === '' || contentType === 'application/json') return true;
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  return type === 'application/json' || type.endsWith('+json');
}

/** The text without percent escapes; null if an escape is invalid. */
export function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
