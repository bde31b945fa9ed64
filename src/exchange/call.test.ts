import { expect, it } from 'vitest';
import { callOf } from './call.ts';

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
  ['GET', '/something/else', null, '/something/else', true],
] as const)('%s %s', (method, path, about, shown, reads) =>
  expect(callOf(method, path, 'not-rewritable')).toEqual({ method, path: shown, about, reads }),
);

it('a WebSocket that is opened by GET is billed for what goes through it', () =>
  expect(callOf('GET', '/v1/realtime', 'upgrade')).toMatchObject({ about: 'realtime', reads: false }));
