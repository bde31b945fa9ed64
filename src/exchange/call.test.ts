import { expect, it } from 'vitest';
import { callOf, namesModel, usageCounts } from './call.ts';

it.each([
  ['POST', '/v1/images/generations', 'images', '/v1/images/generations', false],
  ['POST', '/v1/audio/transcriptions', 'audio', '/v1/audio/transcriptions', false],
  ['POST', '/v1/files', 'files', '/v1/files', false],
  ['GET', '/v1/files/file-abc123DEF456ghi789/content', 'files', '/v1/files/…/content', true],
  ['POST', '/v1/messages/batches', 'batches', '/v1/messages/batches', false],
  ['GET', '/v1/models?limit=20', 'models', '/v1/models', true],
  ['GET', '/v1beta/models/gemini-2.5-flash', 'models', '/v1beta/models/gemini-2.5-flash', true],
  ['POST', '/v1/moderations', 'moderations', '/v1/moderations', false],
  ['POST', '/v1/vector_stores/vs_68a1b2c3d4e5f60718293a4b/search', 'vector-stores', '/v1/vector_stores/…/search', false],
  ['POST', '/v1/rerank', 'rerank', '/v1/rerank', false],
  ['POST', '/v1beta/models/text-embedding-004:embedContent', 'embeddings', '/v1beta/models/text-embedding-004:embedContent', false],
  ['GET', '/v1/responses/resp_0123456789abcdef0123', 'stored-answers', '/v1/responses/…', true],
  ['POST', '/v2/rerank', 'rerank', '/v2/rerank', false],
  ['POST', '/score', 'rerank', '/score', false],
  ['POST', '/v1/multimodalembeddings', 'embeddings', '/v1/multimodalembeddings', false],
  ['POST', '/v1/ocr', 'ocr', '/v1/ocr', false],
  ['POST', '/classify', 'classification', '/classify', false],
  ['GET', '/something/else', null, '/something/else', true],
] as const)('%s %s', (method, path, about, shown, reads) =>
  expect(callOf(method, path, 'not-rewritable')).toEqual({ method, path: shown, about, reads }),
);

it('a WebSocket that is opened by GET is billed for what goes through it', () =>
  expect(callOf('GET', '/v1/realtime', 'upgrade')).toMatchObject({ about: 'realtime', reads: false }));

it('the usage in an answer is the call’s own where it says what this call used', () => {
  const counts = (method: string, path: string): boolean => usageCounts(callOf(method, path, 'not-rewritable'));
  for (const path of ['/v1/images/edits', '/v1/audio/transcriptions', '/v1/rerank', '/v1/moderations', '/v2/embed'])
    expect(counts('POST', path)).toBe(true);
  for (const path of ['/v1/batches', '/v1/responses/resp_1/cancel', '/v1/vector_stores/vs_1/search', '/v1/fine_tuning/jobs'])
    expect(counts('POST', path)).toBe(false);
  expect(counts('GET', '/v1/images/generations')).toBe(false);
  expect(namesModel(callOf('POST', '/v1/images/generations', 'not-rewritable'))).toBe(true);
  expect(namesModel(callOf('POST', '/v1/files', 'not-rewritable'))).toBe(false);
});
