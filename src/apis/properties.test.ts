import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerTranslator, translateAnswer, translateRequest } from './translate.ts';
import type { ApiName } from './names.ts';
import { chatBody, responsesBody, spoil } from './testing/arbitrary.ts';
import { about, answerOf, callerApis, targetApis } from './testing/fixtures.ts';
import { runs } from '../../test/support/fuzz.ts';

/** Who asks, and who answers. */
const pairs = callerApis.flatMap((from) => targetApis.flatMap((to) => (from === to ? [] : [[from, to] as const])));
const answerOptions = { model: 'm', id: 'decision-1', created: 1, includeUsage: true } as const;

function cross(from: ApiName, to: ApiName, body: Buffer): Buffer {
  const result = translateRequest(from, to, body, { model: about(to).model, stream: false, drop: [] });
  if (!result.ok) throw new Error(`${from} to ${to}: ${JSON.stringify(result.unsupported)}`);
  return result.body;
}

describe('a request there and back', () => {
  it.each(targetApis.filter((api) => api !== 'openai-chat' && about(api).exact !== false))('by way of %s says what it said', (api) => {
    fc.assert(
      fc.property(chatBody, (body) => {
        const bytes = Buffer.from(JSON.stringify(body));
        const back = JSON.parse(cross(api, 'openai-chat', cross('openai-chat', api, bytes)).toString('utf8')) as Record<string, unknown>;
        // Anthropic wants tools that were called earlier defined: they are, and none may be called.
        if (!Object.hasOwn(body, 'tools') && back['tool_choice'] === 'none') {
          delete back['tools'];
          delete back['tool_choice'];
        }
        expect(back).toEqual(body);
      }),
      runs(150),
    );
  });
});

describe('a Responses request', () => {
  it('says to OpenAI chat what it says', () => {
    fc.assert(
      fc.property(chatBody, (chat) => {
        const body = { ...chat };
        // Responses has no stop sequences, and one assistant turn where chat may have two in a row.
        delete body['stop'];
        const back = cross('openai-responses', 'openai-chat', Buffer.from(JSON.stringify(responsesBody(body))));
        expect(JSON.parse(back.toString('utf8'))).toEqual(body);
      }),
      runs(150),
    );
  });
});

describe('bodies that are spoiled', () => {
  it.each(pairs)('%s to %s never throw', (from, to) => {
    fc.assert(
      fc.property(chatBody, fc.nat(), fc.jsonValue(), fc.boolean(), (chat, seed, by, stream) => {
        const valid =
          from === 'openai-responses'
            ? Buffer.from(JSON.stringify(responsesBody(chat)))
            : from === 'openai-chat'
              ? Buffer.from(JSON.stringify(chat))
              : cross(
                  'openai-chat',
                  from,
                  Buffer.from(JSON.stringify(about(from).exact === false ? { ...chat, response_format: undefined } : chat)),
                );
        const spoiled = Buffer.from(JSON.stringify(spoil(JSON.parse(valid.toString('utf8')), seed, by)));
        const result = translateRequest(from, to, spoiled, { model: about(to).model, stream, drop: [] });
        if (result.ok) JSON.parse(result.body.toString('utf8'));
        else expect(result.unsupported.length).toBeGreaterThan(0);
      }),
      runs(150),
    );
  });

  it.each(pairs)('answers for %s by %s never throw', (to, from) => {
    fc.assert(
      fc.property(fc.constantFrom('text', 'calls', 'rate-limit'), fc.nat(), fc.jsonValue(), (scenario, seed, by) => {
        const { status, body } = answerOf(from, scenario, false);
        const answer = translateAnswer(from, to, status, Buffer.from(JSON.stringify(spoil(JSON.parse(body), seed, by))), answerOptions);
        JSON.parse(answer.body.toString('utf8'));
        expect(answer.status >= 400).toBe(answer.failure !== null);
      }),
      runs(150),
    );
  });

  it.each(pairs)('streams for %s by %s never throw', (to, from) => {
    const { body } = answerOf(from, 'calls', true);
    fc.assert(
      fc.property(fc.nat(body.length), fc.nat(60), fc.string(), fc.boolean(), (at, length, by, whole) => {
        const translator = new AnswerTranslator(from, to, answerOptions);
        translator.push(Buffer.from(body.slice(0, at) + by + body.slice(at + length)));
        translator.end(whole);
        expect(translator.over).toBe(true);
      }),
      runs(300),
    );
  });
});
