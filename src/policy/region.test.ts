import { expect, it } from 'vitest';
import { mergeProviders } from './providers.ts';
import { regionOf } from './region.ts';

it.each([
  ['https://api.openai.com', null],
  ['https://eu.api.openai.com', 'eu'],
  ['https://us.api.openai.com:443/v1', 'us'],
  ['https://eu.api.openai.com.example.org', null],
  ['https://aiplatform.googleapis.com', null],
  ['https://us-central1-aiplatform.googleapis.com', 'vertex'],
  ['https://api.anthropic.com', null],
])('%s processes in %s', (endpoint, region) => {
  expect(regionOf(mergeProviders({ own: { endpoint, dialect: 'openai' } }).get('own')!)).toBe(region);
});
