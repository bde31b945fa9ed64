import { expect, it } from 'vitest';
import { callOf, namesModel, usageCounts } from './call.ts';

it.each([
  ['POST', '/v1/images/generations', 'images', '/v1/images/generations', 'billed'],
  ['POST', '/v1/audio/transcriptions', 'audio', '/v1/audio/transcriptions', 'billed'],
  ['POST', '/v1/files', 'files', '/v1/files', 'free'],
  ['POST', '/v1/uploads/upload_abc123def456ghi7/parts', 'files', '/v1/uploads/…/parts', 'free'],
  [
    'POST',
    '/v1beta/fileSearchStores/my-store:uploadToFileSearchStore',
    'files',
    '/v1beta/fileSearchStores/my-store:uploadToFileSearchStore',
    'billed',
  ],
  ['GET', '/v1/files/file-abc123DEF456ghi789/content', 'files', '/v1/files/…/content', 'reads'],
  ['POST', '/v1/messages/batches', 'batches', '/v1/messages/batches', 'billed'],
  ['POST', '/v1/batches/batch_0123456789abcdef/cancel', 'batches', '/v1/batches/…/cancel', 'free'],
  ['POST', '/v1/batch/jobs', 'batches', '/v1/batch/jobs', 'billed'],
  ['POST', '/v1/projects/p/locations/l/batchPredictionJobs', 'batches', '/v1/projects/p/locations/l/batchPredictionJobs', 'billed'],
  ['POST', '/async-invoke', 'batches', '/async-invoke', 'billed'],
  ['GET', '/v1/models?limit=20', 'models', '/v1/models', 'reads'],
  ['GET', '/v1/models/claude-haiku-4-5-20251001', 'models', '/v1/models/claude-haiku-4-5-20251001', 'reads'],
  ['GET', '/v1beta/models/gemini-2.5-flash', 'models', '/v1beta/models/gemini-2.5-flash', 'reads'],
  ['POST', '/v1/moderations', 'moderations', '/v1/moderations', 'billed'],
  ['POST', '/guardrail/g/version/1/apply', 'guardrails', '/guardrail/g/version/1/apply', 'billed'],
  ['POST', '/v1/vector_stores', 'vector-stores', '/v1/vector_stores', 'free'],
  ['POST', '/v1/vector_stores/vs_68a1b2c3d4e5f60718293a4b/files', 'vector-stores', '/v1/vector_stores/…/files', 'free'],
  ['POST', '/v1/realtime/client_secrets', 'realtime', '/v1/realtime/client_secrets', 'billed'],
  ['GET', '/user/balance', 'account', '/user/balance', 'reads'],
  ['POST', '/v1/vector_stores/vs_68a1b2c3d4e5f60718293a4b/search', 'vector-stores', '/v1/vector_stores/…/search', 'billed'],
  ['POST', '/v1/rerank', 'rerank', '/v1/rerank', 'billed'],
  ['POST', '/v1/projects/p/locations/l/rankingConfigs/c:rank', 'rerank', '/v1/projects/p/locations/l/rankingConfigs/c:rank', 'billed'],
  ['POST', '/v1beta/models/text-embedding-004:embedContent', 'embeddings', '/v1beta/models/text-embedding-004:embedContent', 'billed'],
  ['POST', '/v1beta/models/veo-3:predictLongRunning', 'videos', '/v1beta/models/veo-3:predictLongRunning', 'billed'],
  [
    'POST',
    '/v1/publishers/google/models/veo-3:fetchPredictOperation',
    'videos',
    '/v1/publishers/google/models/veo-3:fetchPredictOperation',
    'free',
  ],
  ['POST', '/v1beta/models/gemini-2.5-flash:countTokens', 'count-tokens', '/v1beta/models/gemini-2.5-flash:countTokens', 'free'],
  [
    'POST',
    '/v1/publishers/anthropic/models/count-tokens:rawPredict',
    'count-tokens',
    '/v1/publishers/anthropic/models/count-tokens:rawPredict',
    'free',
  ],
  ['POST', '/model/anthropic.claude-3-haiku/count-tokens', 'count-tokens', '/model/anthropic.claude-3-haiku/count-tokens', 'free'],
  ['POST', '/v1/responses/input_tokens', 'count-tokens', '/v1/responses/input_tokens', 'free'],
  ['POST', '/v1/responses/compact', 'compaction', '/v1/responses/compact', 'billed'],
  ['GET', '/v1/responses/resp_0123456789abcdef0123', 'stored-answers', '/v1/responses/…', 'reads'],
  ['POST', '/v1/responses/resp_0123456789abcdef0123/cancel', 'stored-answers', '/v1/responses/…/cancel', 'free'],
  ['GET', '/v1/chat/completions', 'stored-answers', '/v1/chat/completions', 'reads'],
  ['POST', '/compatibility/v1/chat/completions', 'chat', '/compatibility/v1/chat/completions', 'billed'],
  ['POST', '/v1/agents/completions', 'chat', '/v1/agents/completions', 'billed'],
  ['POST', '/v1/threads/thread_0123456789abcdef/messages', 'assistants', '/v1/threads/…/messages', 'free'],
  ['POST', '/v1/threads/thread_0123456789abcdef/runs', 'assistants', '/v1/threads/…/runs', 'billed'],
  ['POST', '/v1/evals', 'evals', '/v1/evals', 'free'],
  ['POST', '/v1/evals/eval_0123456789abcdef/runs', 'evals', '/v1/evals/…/runs', 'billed'],
  ['POST', '/v1/containers', 'containers', '/v1/containers', 'billed'],
  ['POST', '/v1/containers/cntr_0123456789abcdef/files', 'containers', '/v1/containers/…/files', 'free'],
  ['POST', '/v1/fine_tuning/jobs', 'fine-tuning', '/v1/fine_tuning/jobs', 'billed'],
  ['POST', '/v1/fine-tunes', 'fine-tuning', '/v1/fine-tunes', 'billed'],
  ['POST', '/v1beta/interactions', 'interactions', '/v1beta/interactions', 'billed'],
  ['POST', '/v1beta/interactions/i/cancel', 'interactions', '/v1beta/interactions/i/cancel', 'free'],
  ['POST', '/v2/rerank', 'rerank', '/v2/rerank', 'billed'],
  ['POST', '/score', 'rerank', '/score', 'billed'],
  ['POST', '/v1/multimodalembeddings', 'embeddings', '/v1/multimodalembeddings', 'billed'],
  ['POST', '/v1/ocr', 'ocr', '/v1/ocr', 'billed'],
  ['POST', '/classify', 'classification', '/classify', 'billed'],
  ['GET', '/api/v1/credits', 'account', '/api/v1/credits', 'reads'],
  ['GET', '/something/else', null, '/something/else', 'reads'],
] as const)('%s %s', (method, path, about, shown, cost) =>
  expect(callOf(method, path, 'not-rewritable')).toEqual({ method, path: shown, about, reads: cost === 'reads', free: cost !== 'billed' }),
);

it('a WebSocket that is opened by GET is billed for what goes through it', () =>
  expect(callOf('GET', '/v1/realtime', 'upgrade')).toMatchObject({ about: 'realtime', reads: false, free: false }));

it('the usage in an answer is the call’s own where it says what this call used', () => {
  const counts = (method: string, path: string): boolean => usageCounts(callOf(method, path, 'not-rewritable'));
  for (const path of [
    '/v1/images/edits',
    '/v1/audio/transcriptions',
    '/v1/rerank',
    '/v1/moderations',
    '/v2/embed',
    '/v1/threads/t/runs',
    '/v1/conversations',
    '/v1/responses/compact',
  ])
    expect(counts('POST', path)).toBe(true);
  for (const path of [
    '/v1/batches',
    '/v1/responses/resp_1/cancel',
    '/v1/vector_stores/vs_1/search',
    '/v1/fine_tuning/jobs',
    '/v1/threads/t/runs/r',
  ])
    expect(counts('POST', path)).toBe(false);
  expect(counts('GET', '/v1/images/generations')).toBe(false);
  const names = (path: string): string | null => namesModel(callOf('POST', path, 'not-rewritable'));
  for (const path of ['/v1/images/generations', '/v1/assistants', '/v1beta/cachedContents', '/v1/chat', '/v1/pooling'])
    expect(names(path)).toBe('top');
  for (const path of ['/v1/messages/batches', '/v1/realtime/client_secrets', '/v1/evals/e/runs']) expect(names(path)).toBe('inside');
  for (const path of ['/v1/files', '/v1/vector_stores/v/search', '/v1/containers']) expect(names(path)).toBeNull();
});
