import { expect, it } from 'vitest';
import { retryDelayIn } from './retry-delay.ts';

const google = (details: readonly unknown[], message = 'x') => ({ error: { code: 429, message, status: 'RESOURCE_EXHAUSTED', details } });
const info = (retryDelay: unknown) => ({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay });

it.each<readonly [string, unknown, number | null]>([
  ['Google’s RetryInfo', google([{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure' }, info('38.922534355s')]), 38_922.534355],
  ['the same in a list', [google([info('30s')])], 30_000],
  ['RetryInfo of another form', google([info(30)]), null],
  ['words of Google', google([], 'You exceeded your current quota. Please retry in 35.2s.'), 35_200],
  ['words of OpenAI', { error: { message: 'Rate limit reached. Please try again in 1m30.5s. Visit x' } }, 90_500],
  ['milliseconds', { error: { message: 'Please try again in 240ms.' } }, 240],
  ['hours', { error: { message: 'Please try again in 2h5m.' } }, 7_500_000],
  ['words without a time', { error: { message: 'Please try again in a moment.' } }, null],
  ['nothing', {}, null],
])('the delay that a body asks for: %s', (_what, body, ms) => {
  expect(retryDelayIn(Buffer.from(JSON.stringify(body)))).toBe(ms);
});

it('is unknown in what is no JSON', () => expect(retryDelayIn(Buffer.from('<html>'))).toBeNull());
