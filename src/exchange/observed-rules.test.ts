import { expect, it } from 'vitest';
import { limits } from '../lib/limits.ts';
import { modelNamed } from './observed-rules.ts';

const named = (body: object, inside = false): string | null => modelNamed(Buffer.from(JSON.stringify(body)), inside);
const batch = (...models: readonly string[]): object => ({
  requests: models.map((model) => ({ custom_id: 'a', params: { model, messages: [] } })),
});

it('a model at the top has its plain name, however the provider writes it', () => {
  expect(named({ model: 'gpt-image-1' })).toBe('gpt-image-1');
  expect(named({ model: 'models/gemini-2.5-flash' })).toBe('gemini-2.5-flash');
  expect(named({ model: 'publishers/google/models/gemini-2.5-flash' })).toBe('gemini-2.5-flash');
  expect(named({ modelId: 'amazon.nova-reel-v1:0' })).toBe('amazon.nova-reel-v1:0');
  expect(named({ model: 'black-forest-labs/FLUX.1-schnell' })).toBe('black-forest-labs/FLUX.1-schnell');
});

it('a batch has the model of all its requests; several models are none', () => {
  expect(named(batch('a-1', 'a-1'), true)).toBe('a-1');
  expect(named(batch('a-1', 'b-2'), true)).toBeNull();
  expect(named(batch('a-1'))).toBeNull();
  expect(named({ session: { type: 'realtime', model: 'gpt-realtime' } }, true)).toBe('gpt-realtime');
});

it('a large body is not parsed for a model inside it', () =>
  expect(named({ ...batch('a-1'), filler: 'x'.repeat(limits.namedInsideBytes) }, true)).toBeNull());
