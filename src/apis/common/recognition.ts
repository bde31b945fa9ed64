import { limits } from '../../lib/limits.ts';
import type { ApiName, Operation, PassReason, Recognition, RequestHead, Span } from '../types.ts';

/** An API and the purpose of a call. */
export interface ApiCall {
  readonly api: ApiName;
  readonly operation: Operation;
}

/** Path segments of known LLM APIs that are never rewritten: their calls are not prompts to an LLM, or their body is not JSON. */
const observedNames = [
  'images|audio|videos?|batches|batch/jobs|batchPredictionJobs|embed-jobs|async-invoke',
  'files|uploads|generatedFiles|fileSearchStores|datasets|libraries|vector_stores|containers|skills',
  'models?|tunedModels|endpoints|publishers|(?:language|embedding|image-generation|video-generation)-models',
  'fine[-_]?tuning|fine-tunes?|evals',
  'moderations|guardrail|re-?rank|rankings?|rankingConfigs|score|pooling|classify|classifications|ocr|segment',
  '(?:multimodal|contextualized)-?embeddings|embed|(?:de)?tokenize(?:-text)?',
  'realtime|assistants|threads|conversations|chatkit|agents|sessions|environments|memory_stores|vaults|interactions',
  'responses/[^/]+|chat/completions|chat/deferred-completion|messages/batches|complete',
  'cachedContents|corpora|auth_tokens|operations|projects|openai',
  'organizations?|credits|api-key|v1/(?:keys?|generation)',
  'api/(?:chat|generate|embed|embeddings|tags|show|ps)',
];
const observedPaths = new RegExp(`/(?:${observedNames.join('|')})(?:[/:]|$)`, 'i');

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
  if (!lenient && !decodable(head.contentEncoding)) return pass('encoded-body');
  if (!lenient && !isJson(head.contentType)) return pass('not-json');
  if (head.contentLength !== null && head.contentLength > limits.requestBodyBytes) return pass('too-large');
  if (head.contentLength === 0) return pass('no-body');
  if (modelSpan === null) return { kind: 'readable', api, operation, pathModel: null, stream };
  const model = decoded(head.path.slice(modelSpan.start, modelSpan.end));
  if (model === null || model.length > limits.modelBytes) return pass('model-unreadable');
  return { kind: 'readable', api, operation, pathModel: { model, span: modelSpan }, stream };
}

const decoders: ReadonlySet<string> = new Set(['', 'identity', 'gzip', 'x-gzip', 'deflate', 'br', 'zstd']);

/** Whether a body of this content-encoding can be read. */
function decodable(contentEncoding: string): boolean {
  return contentEncoding === '' || contentEncoding.split(',').every((name) => decoders.has(name.trim().toLowerCase()));
}

/** A call that is not rewritten, if its path is known. `model`: the one that its dialect finds in the path. */
export function known(path: string, model: string | null): Recognition {
  return observedPaths.test(path)
    ? { kind: 'observed', api: 'other-llm', model: model ?? modelIn(path), reason: 'not-rewritable' }
    : pass('unknown-path');
}

/** Google's calls of a model, and what such a call began; Vertex AI's endpoints serve one model each. */
const modelCall = /\/(?:models|tunedModels|endpoints)\/([^/:]+)(?::[A-Za-z]+$|\/operations(?:\/|$))/;
/** Vertex AI counts with a name in the model's place; its endpoint for OpenAI's API serves any model. */
const noModel = /^(?:count-tokens(?:@.*)?|openapi)$/;

function modelIn(path: string): string | null {
  const model = decoded(modelCall.exec(path)?.[1] ?? '') ?? '';
  return model === '' || noModel.test(model) || Buffer.byteLength(model) > limits.modelBytes ? null : model;
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
