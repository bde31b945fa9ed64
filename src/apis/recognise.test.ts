import { describe, expect, it } from 'vitest';
import { recognise } from './recognise.ts';
import type { DialectFamily, RequestHead } from './types.ts';

const head = (path: string, more: Partial<RequestHead> = {}): RequestHead => ({
  method: 'POST',
  path,
  authority: 'gateway',
  contentType: 'application/json',
  contentEncoding: '',
  contentLength: null,
  upgrade: false,
  ...more,
});

describe('paths', () => {
  it.each<[DialectFamily, string, string]>([
    ['openai', '/v1/chat/completions', 'openai-chat'],
    ['openai', '/v1beta/openai/chat/completions?x=1', 'openai-chat'],
    ['openai', '/v1/completions', 'openai-completions'],
    ['openai', '/v1/responses', 'openai-responses'],
    ['openai', '/v1/embeddings', 'openai-embeddings'],
    ['azure-openai', '/openai/v1/chat/completions', 'openai-chat'],
    ['anthropic', '/v1/messages', 'anthropic-messages'],
    ['anthropic', '/v1/messages/count_tokens', 'anthropic-count-tokens'],
  ])('of %s: %s is read as %s', (family, path, api) => {
    expect(recognise(head(path), family)).toMatchObject({ kind: 'readable', api, pathModel: null });
  });

  it('of Azure and Gemini hold the model, and say where it stands', () => {
    for (const [family, path, model] of [
      ['azure-openai', '/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21', 'my gpt'],
      ['gemini', '/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse', 'gemini-2.5-pro'],
      ['gemini', '/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent', 'gemini-2.5-pro'],
    ] as const) {
      const recognised = recognise(head(path), family);
      if (recognised.kind !== 'readable' || recognised.pathModel === null) throw new Error(path);
      expect(recognised.pathModel.model).toBe(model);
      expect(decodeURIComponent(path.slice(recognised.pathModel.span.start, recognised.pathModel.span.end))).toBe(model);
    }
  });

  it.each([
    [
      'gemini',
      '/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict',
      'claude-sonnet-4-5@20250929',
    ],
    ['gemini', '/v1/projects/p/locations/l/endpoints/1234567890:predict', '1234567890'],
    ['gemini', '/v1beta1/projects/p/locations/l/endpoints/openapi/chat/completions', null],
    ['gemini', '/v1/publishers/anthropic/models/count-tokens:rawPredict', null],
    ['gemini', '/v1beta/models/veo-3.0-generate-001:predictLongRunning', 'veo-3.0-generate-001'],
    ['gemini', '/v1beta/tunedModels/my-tune:generateContent', 'my-tune'],
    [
      'bedrock',
      '/model/arn:aws:bedrock:us-east-1:1:inference-profile%2Fus.claude-v1:0/converse',
      'arn:aws:bedrock:us-east-1:1:inference-profile/us.claude-v1:0',
    ],
    ['bedrock', '/model/anthropic.claude-3-haiku/count-tokens', 'anthropic.claude-3-haiku'],
    ['openai', '/v1/agents/completions', null],
    ['openai', '/v1/batch/jobs', null],
    ['openai', '/api/v1/credits', null],
    ['openai', '/api/chat', null],
    ['cohere', '/compatibility/v1/chat/completions', null],
  ] as const)('%s observes %s', (family, path, model) =>
    expect(recognise(head(path), family)).toMatchObject({ kind: 'observed', model, reason: 'not-rewritable' }),
  );

  it('of Bedrock and of other LLM APIs are observed', () => {
    expect(recognise(head('/model/anthropic.claude-3-haiku-20240307-v1%3A0/invoke'), 'bedrock')).toEqual({
      kind: 'observed',
      api: 'bedrock',
      model: 'anthropic.claude-3-haiku-20240307-v1:0',
      reason: 'not-rewritable',
    });
    for (const path of ['/v1/images/generations', '/v1/audio/speech', '/v1/batches', '/v1/models'])
      expect(recognise(head(path), 'openai')).toMatchObject({ kind: 'observed', reason: 'not-rewritable' });
    expect(recognise(head('/v1beta/models/text-embedding-004:embedContent'), 'gemini')).toMatchObject({
      kind: 'observed',
      model: 'text-embedding-004',
    });
  });

  it.each<[string, Partial<RequestHead>, string]>([
    ['/healthz', {}, 'unknown-path'],
    ['/v1/chat/completions', { upgrade: true }, 'upgrade'],
    ['/v1/chat/completions', { method: 'PATCH' }, 'method'],
    ['/v1/chat/completions', { contentEncoding: 'compress' }, 'encoded-body'],
    ['/v1/chat/completions', { contentEncoding: 'gzip, aws-chunked' }, 'encoded-body'],
    ['/v1/chat/completions', { contentType: 'multipart/form-data; boundary=x' }, 'not-json'],
    ['/v1/chat/completions', { contentLength: 64 * 1024 * 1024 }, 'too-large'],
    ['/v1/chat/completions', { contentLength: 0 }, 'no-body'],
  ])('%s with %j pass: %s', (path, more, reason) => {
    expect(recognise(head(path, more), 'openai')).toEqual({ kind: 'pass', reason });
  });
});
