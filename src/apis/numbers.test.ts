import { expect, test } from 'vitest';
import { limits } from '../lib/limits.ts';
import { readExchange } from './index.ts';
import type { ParsedRequest, Recognition } from './types.ts';

type Readable = Recognition & { readonly kind: 'readable' };

const chat: Readable = { kind: 'readable', api: 'openai-chat', operation: 'generate', pathModel: null, stream: null };
const claude: Readable = { ...chat, api: 'anthropic-messages' };
const gemini: Readable = { ...chat, api: 'gemini-generate', pathModel: { model: 'g', span: { start: 0, end: 1 } } };

function read(recognition: Readable, body: string): ParsedRequest {
  const result = readExchange(recognition, Buffer.from(body));
  if (!result.ok) throw new Error(result.reason);
  return result.exchange;
}

const written: readonly (readonly [string, number | null])[] = [
  ['20', 20],
  ['0.5', 1],
  ['-1', null],
  ['-0', null],
  ['0', null],
  ['-1e308', null],
  ['-1e999', null],
  ['1e308', Infinity],
  ['1e999', Infinity],
  ['"20"', null],
  ['null', null],
  ['true', null],
  ['[1]', null],
];

test.each(written)('%s as a number of tokens or answers', (text, value) => {
  const tokens = value === Infinity ? limits.outputTokens : value;
  const answers = value === Infinity ? limits.answersAsked : (value ?? 1);
  for (const key of ['max_tokens', 'max_completion_tokens'])
    expect(read(chat, `{"model":"m","${key}":${text},"n":${text}}`)).toMatchObject({ maxOutputTokens: tokens, n: answers });
  expect(read(claude, `{"model":"m","max_tokens":${text}}`).maxOutputTokens).toBe(tokens);
  expect(read(gemini, `{"generationConfig":{"maxOutputTokens":${text},"candidateCount":${text}}}`)).toMatchObject({
    maxOutputTokens: tokens,
    n: answers,
  });
});
