import { describe, expect, it } from 'vitest';
import { limits } from '../lib/limits.ts';
import { readAnswer } from './answer.ts';
import { AnswerTranslator, renderStreamError, translateAnswer } from './translate.ts';
import type { ApiName } from './names.ts';
import { viewAnswer } from './view.ts';
import { foreignSignature } from './common/models.ts';
import { answerOf, bigArgs, callerApis, targetApis } from './testing/fixtures.ts';

const pairs = targetApis.flatMap((from) => callerApis.flatMap((to) => (from === to ? [] : [{ from, to }])));
const options = { model: 'm', id: 'decision-1', created: 1_770_000_001, includeUsage: true } as const;

function translate(from: ApiName, to: ApiName, text: string, whole = true): string {
  const translator = new AnswerTranslator(from, to, options);
  return Buffer.concat([translator.push(Buffer.from(text)), translator.end(whole)]).toString('utf8');
}

/** The events' data, parsed. */
function events(text: string): Record<string, unknown>[] {
  return text.split('\n\n').flatMap((event) => {
    const data = /^data: (.*)$/m.exec(event)?.[1];
    return data === undefined || data === '[DONE]' ? [] : [JSON.parse(data) as Record<string, unknown>];
  });
}

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

describe.each(pairs)('a stream of $from for $to', ({ from, to }) => {
  it('is the same however it is cut', () => {
    const bytes = Buffer.from(answerOf(from, 'calls', true).body);
    const whole = translate(from, to, bytes.toString('utf8'));
    for (let at = 1; at < bytes.length; at += 7) {
      const translator = new AnswerTranslator(from, to, options);
      const pieces = [translator.push(bytes.subarray(0, at)), translator.push(bytes.subarray(at)), translator.end(true)];
      if (!Buffer.concat(pieces).equals(Buffer.from(whole))) expect.fail(`differs when cut at ${at}`);
    }
    const translator = new AnswerTranslator(from, to, options);
    const single = [...bytes].map((byte) => translator.push(Uint8Array.of(byte)));
    expect(Buffer.concat([...single, translator.end(true)]).toString('utf8')).toBe(whole);
  });

  it('keeps the numbers of arguments', () => {
    const text = translate(from, to, answerOf(from, 'calls', true).body);
    if (to === 'gemini-generate') {
      expect(text).toContain(`"args":${bigArgs}`);
      return;
    }
    const pieces = [...text.matchAll(/"(?:partial_json|arguments|delta)":("(?:[^"\\]|\\.)*")/g)]
      .map((match) => JSON.parse(match[1]!) as string)
      .join('');
    expect(pieces).toContain(bigArgs);
    const { body } = translateAnswer(from, to, 200, Buffer.from(answerOf(from, 'calls', false).body), options);
    expect(body.toString('utf8').replaceAll('\\"', '"').replaceAll('\\\\"', '\\"')).toContain('"id":12345678901234567890,"ratio":1.0');
  });

  it('ends with one error, and nothing after it, when it is cut', () => {
    const { body } = answerOf(from, 'text', true);
    for (const at of [1, body.length >> 2, body.length >> 1]) {
      const text = translate(from, to, body.slice(0, at), false);
      const numbered = /"sequence_number":\d+/g;
      expect(
        text
          .replaceAll(numbered, '')
          .endsWith(renderStreamError(to, "The provider's stream was cut.").toString('utf8').replaceAll(numbered, '')),
      ).toBe(true);
    }
  });

  it('is whole once the provider has said why it ends', () => {
    const { body } = answerOf(from, 'text', true);
    // Gemini has no mark but the reason itself.
    if (from === 'gemini-generate') {
      expect(events(translate(from, to, body, false)).some((event) => 'error' in event)).toBe(false);
      return;
    }
    const last = body.lastIndexOf('\n\n', body.length - 3) + 2;
    expect(events(translate(from, to, body.slice(0, last), false)).some((event) => 'error' in event)).toBe(false);
  });

  it('ends with an error at an event that is no JSON, or too large', () => {
    expect(translate(from, to, 'data: {"broken\n\n')).toContain('no JSON');
    expect(translate(from, to, `data: "${'x'.repeat(limits.sseEventBytes)}"\n\n`)).toContain('too large');
  });
});

describe('an error in the middle of a chat stream', () => {
  const said = data({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { role: 'assistant', content: 'half' } }] });

  it.each<readonly [string, object]>([
    ['in error', { error: { message: 'It broke.', type: 'server_error' } }],
    ['as vLLM says it', { object: 'error', message: 'It broke.', type: 'InternalServerError', code: 500 }],
    ['as FastAPI says it', { detail: 'It broke.' }],
    ['in error_message', { object: 'chat.completion.chunk', choices: null, error_type: 'InternalServerError', error_message: 'It broke.' }],
    [
      'in its choice',
      { choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error', error: { code: 502, message: 'It broke.' } }] },
    ],
    ['at the top', { type: 'server_error', message: 'It broke.' }],
  ])('is an error of the app’s API: %s', (_where, broken) => {
    const stream = `${said}${data(broken)}data: [DONE]\n\n`;
    for (const to of ['anthropic-messages', 'gemini-generate', 'openai-responses'] as const) {
      const seen = translate('openai-chat', to, stream);
      expect(seen).toContain('half');
      expect(seen).toContain('It broke.');
      expect(seen).not.toMatch(/message_stop|"finishReason":"STOP"|response\.completed/);
    }
    const reader = readAnswer({
      api: 'openai-chat',
      status: 200,
      contentType: 'text/event-stream',
      contentEncoding: '',
      usageNotAsked: false,
    });
    reader.push(Buffer.from(stream));
    expect(reader.end(true).errorType).not.toBeNull();
  });
});

describe("Anthropic's order of events", () => {
  it('is kept: blocks one after the other, then message_delta and message_stop', () => {
    const types = events(translate('openai-chat', 'anthropic-messages', answerOf('openai-chat', 'calls', true).body)).map(
      (event) => event['type'],
    );
    const short = types.filter((type, index) => type !== types[index - 1]);
    expect(short).toEqual([
      'message_start',
      ...Array.from({ length: 3 }, () => ['content_block_start', 'content_block_delta', 'content_block_stop']).flat(),
      'message_delta',
      'message_stop',
    ]);
  });

  it('is kept where OpenAI mixes the pieces of two calls', () => {
    const call = (index: number, members: object): string =>
      data({ choices: [{ index: 0, delta: { tool_calls: [{ index, ...members }] } }] });
    const text = [
      call(0, { id: 'a', function: { name: 'f', arguments: '{"x":' } }),
      call(1, { id: 'b', function: { name: 'g', arguments: '{"y":' } }),
      call(0, { function: { arguments: '1}' } }),
      call(1, { function: { arguments: '2}' } }),
      data({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
      'data: [DONE]\n\n',
    ].join('');
    const seen = events(translate('openai-chat', 'anthropic-messages', text)).map(
      (event) => ((event['delta'] as Record<string, unknown> | undefined)?.['partial_json'] ?? event['type']) as string,
    );
    expect(seen).toEqual([
      'message_start',
      'content_block_start',
      '{"x":',
      '1}',
      'content_block_stop',
      'content_block_start',
      '{"y":2}',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  it('tells calls apart that share an index but not an id', () => {
    const call = (id: string): string =>
      data({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id, function: { name: 'f', arguments: '{}' } }] } }] });
    const text = [call('a'), call('b'), data({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] })].join('');
    const ids = events(translate('openai-chat', 'anthropic-messages', text)).flatMap(
      (event) => ((event['content_block'] as Record<string, unknown> | undefined)?.['id'] ?? []) as string[],
    );
    expect(ids).toEqual(['a', 'b']);
  });
});

describe('OpenAI chat', () => {
  it('sends usage only when the caller asked for it, then [DONE]', () => {
    const { body } = answerOf('anthropic-messages', 'text', true);
    const asked = translate('anthropic-messages', 'openai-chat', body);
    expect(events(asked).at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 } });
    expect(asked.endsWith('data: [DONE]\n\n')).toBe(true);
    const translator = new AnswerTranslator('anthropic-messages', 'openai-chat', { ...options, includeUsage: false });
    expect(Buffer.concat([translator.push(Buffer.from(body)), translator.end(true)]).toString('utf8')).not.toContain('usage');
  });

  it('leaves usage out where the provider said nothing of it', () => {
    const message = JSON.stringify({ id: 'msg_1', model: 'm', content: [{ type: 'text', text: 'x' }], stop_reason: 'end_turn' });
    const { body } = translateAnswer('anthropic-messages', 'openai-chat', 200, Buffer.from(message), options);
    expect(JSON.parse(body.toString('utf8'))).not.toHaveProperty('usage');
  });
});

describe('answers that cannot be said', () => {
  it('are errors: arguments that are no JSON, for an API that wants an object', () => {
    const answer = {
      choices: [
        {
          index: 0,
          message: { content: null, tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":' } }] },
          finish_reason: 'tool_calls',
        },
      ],
    };
    const back = translateAnswer('openai-chat', 'anthropic-messages', 200, Buffer.from(JSON.stringify(answer)), options);
    expect(back).toMatchObject({ status: 502, failure: { kind: 'server' } });
    expect(JSON.parse(back.body.toString('utf8'))).toMatchObject({ type: 'error', error: { type: 'api_error' } });
  });

  it('are errors: HTML from a proxy, whatever its status', () => {
    for (const [status, expected] of [
      [200, 502],
      [502, 502],
      [404, 404],
    ] as const) {
      expect(translateAnswer('openai-chat', 'anthropic-messages', status, Buffer.from('<html>'), options).status).toBe(expected);
    }
  });
});

describe("Gemini's callers", () => {
  const calls = answerOf('anthropic-messages', 'calls', true).body;

  it('get one JSON array without alt=sse, closed in every case', () => {
    for (const [body, whole] of [
      [calls, true],
      [calls.slice(0, calls.length >> 1), false],
      ['data: x\n\n', true],
    ] as const) {
      const translator = new AnswerTranslator('anthropic-messages', 'gemini-generate', { ...options, framing: 'json-array' });
      expect(translator.contentType).toBe('application/json');
      const chunks = JSON.parse(Buffer.concat([translator.push(Buffer.from(body)), translator.end(whole)]).toString('utf8')) as Record<
        string,
        unknown
      >[];
      expect(chunks.length).toBeGreaterThan(0);
      expect('error' in chunks.at(-1)!).toBe(!whole || body !== calls);
    }
  });

  it('can send the calls back to Gemini, which demands a signature', () => {
    const parts = events(translate('anthropic-messages', 'gemini-generate', calls)).flatMap(
      (chunk) => (chunk as { candidates: { content: { parts: Record<string, unknown>[] } }[] }).candidates[0]!.content.parts,
    );
    expect(parts.flatMap((part) => ('functionCall' in part ? [part['thoughtSignature']] : []))).toEqual([foreignSignature, undefined]);
  });

  it('get an error for arguments that are no JSON, and nothing after it', () => {
    const call = {
      choices: [
        {
          index: 0,
          delta: { tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{"x":' } }] },
          finish_reason: 'tool_calls',
        },
      ],
    };
    const seen = events(translate('openai-chat', 'gemini-generate', `${data(call)}data: [DONE]\n\n`));
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ error: { code: 502 } });
  });
});

describe("Gemini's ends", () => {
  it('are a failure where its model made a broken call, and a filter where the prompt was blocked', () => {
    const broken = {
      candidates: [{ content: { parts: [] }, finishReason: 'MALFORMED_FUNCTION_CALL', finishMessage: 'Malformed function call: f(' }],
    };
    expect(translateAnswer('gemini-generate', 'openai-chat', 200, Buffer.from(JSON.stringify(broken)), options)).toMatchObject({
      status: 500,
      failure: { message: 'Malformed function call: f(' },
    });
    const blocked = { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 } };
    const { body } = translateAnswer('gemini-generate', 'openai-chat', 200, Buffer.from(JSON.stringify(blocked)), options);
    expect(JSON.parse(body.toString('utf8'))).toMatchObject({ choices: [{ finish_reason: 'content_filter', message: { content: null } }] });
  });
});

describe('an end of Gemini’s without an answer', () => {
  const ended = (finishReason: string): Buffer => Buffer.from(JSON.stringify({ candidates: [{ content: {}, finishReason, index: 0 }] }));

  it.each(['LANGUAGE', 'MODEL_ARMOR', 'IMAGE_PROHIBITED_CONTENT', 'IMAGE_RECITATION'])('is a filter’s: %s', (reason) => {
    const { body } = translateAnswer('gemini-generate', 'openai-chat', 200, ended(reason), options);
    expect(JSON.parse(body.toString('utf8'))).toMatchObject({ choices: [{ finish_reason: 'content_filter' }] });
    expect(viewAnswer('gemini-generate', JSON.parse(ended(reason).toString('utf8')))).toMatchObject({ filtered: true });
  });

  it.each(['MALFORMED_RESPONSE', 'MISSING_THOUGHT_SIGNATURE', 'NO_IMAGE', 'IMAGE_OTHER'])('is a failure: %s', (reason) =>
    expect(translateAnswer('gemini-generate', 'openai-chat', 200, ended(reason), options)).toMatchObject({ status: 500 }),
  );
});

describe("Responses' callers", () => {
  const seen = events(translate('anthropic-messages', 'openai-responses', answerOf('anthropic-messages', 'calls', true).body));

  it('get numbered events in order, and the whole answer in the last', () => {
    expect(seen.map((event) => event['sequence_number'])).toEqual(seen.map((_event, index) => index));
    const types = seen.map((event) => event['type'] as string);
    const short = types.filter((type, index) => type !== types[index - 1]);
    const call = [
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
    ];
    expect(short).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      ...call,
      ...call,
      'response.completed',
    ]);
    const last = seen.at(-1) as { response: Record<string, unknown> };
    const { body } = translateAnswer(
      'anthropic-messages',
      'openai-responses',
      200,
      Buffer.from(answerOf('anthropic-messages', 'calls', false).body),
      options,
    );
    expect(last.response).toEqual(JSON.parse(body.toString('utf8')));
  });

  it('get an error with the number that follows', () => {
    const cut = events(
      translate('anthropic-messages', 'openai-responses', answerOf('anthropic-messages', 'text', true).body.slice(0, 1_500), false),
    );
    expect(cut.slice(-2)).toMatchObject([
      { type: 'error', sequence_number: cut.length - 2, error: { message: "The provider's stream was cut." } },
      {
        type: 'response.failed',
        sequence_number: cut.length - 1,
        response: { status: 'failed', error: { message: "The provider's stream was cut." } },
      },
    ]);
  });
});
