import { describe, expect, it } from 'vitest';
import { answerTo } from '../demo/simulator-answers.ts';
import { readAnswer } from './answer.ts';
import { meaningOf, readSaid } from './common/error-words.ts';
import { dialects } from './registry.ts';
import { renderAnswer } from './replay.ts';
import { answerOf, bigArgs, counted, isRecorded, targetApis, words, type Scenario, type TargetApi } from './testing/fixtures.ts';
import type { Answer } from './types.ts';
import { viewAnswer } from './view.ts';

function read(api: TargetApi, scenario: Scenario, stream: boolean): Answer {
  const { status, body } = answerOf(api, scenario, stream);
  const reader = readAnswer({
    api,
    status,
    contentType: stream ? 'text/event-stream' : 'application/json',
    contentEncoding: '',
    usageNotAsked: false,
  });
  for (const byte of Buffer.from(body)) reader.push(Uint8Array.of(byte));
  return reader.end(true);
}

/** Parsed, without what is null: that says nothing. */
const saying = (json: string): unknown => JSON.parse(json, (_key, value: unknown) => value ?? undefined);
/** Pieces of arguments put together. */
const unescaped = (text: string): string =>
  [text, ...text.matchAll(/"(?:partial_json|arguments)":\s*("(?:[^"\\]|\\.)*")/g)]
    .map((piece) => (typeof piece === 'string' ? piece : (JSON.parse(piece[1]!) as string)))
    .join('');
const bigId = '12345678901234567890';

const both = targetApis.flatMap((api) => [false, true].map((stream) => ({ api, stream, how: stream ? 'streamed' : 'whole' })));

describe.each(both)('recorded answers of $api, $how', ({ api, stream }) => {
  it.each((['text', 'calls', 'length', 'filter'] as const).filter((scenario) => isRecorded(api, scenario)))(
    'are counted: %s',
    (scenario) => {
      const answer = read(api, scenario, stream);
      expect(answer).toMatchObject({ complete: true, errorType: null, usage: { totalInput: counted.input, totalOutput: counted.output } });
      expect(answer.finishReason).not.toBeNull();
      expect(answer.id).not.toBeNull();
    },
  );

  it.each(['text', 'calls'] as const)('change their form for the cache and stay what they are: %s', (scenario) => {
    const { body } = answerOf(api, scenario, stream);
    const { usage } = read(api, scenario, stream);
    const from = stream ? 'sse' : 'json';
    const to = stream ? 'json' : 'sse';
    const other = renderAnswer({ api, form: from, body: Buffer.from(body), usage }, { form: to, includeUsage: true })!;
    const whole = JSON.parse((stream ? other.body : Buffer.from(body)).toString('utf8')) as unknown;
    expect(viewAnswer(api, whole)).toMatchObject(
      scenario === 'text' ? { text: words.join(''), toolArguments: [], cutOff: false } : { refused: false, filtered: false },
    );
    const back = renderAnswer({ api, form: to, body: other.body, usage }, { form: from, includeUsage: true })!;
    if (!stream) expect(saying(back.body.toString('utf8'))).toEqual(saying(body));
    // Numbers that no JavaScript number holds.
    if (scenario === 'calls') for (const { body: bytes } of [other, back]) expect(unescaped(bytes.toString('utf8'))).toContain(bigId);
    const reader = readAnswer({ api, status: 200, contentType: other.contentType, contentEncoding: '', usageNotAsked: false });
    reader.push(other.body);
    expect(reader.end(true)).toMatchObject({ complete: true, usage: { totalInput: counted.input, totalOutput: counted.output } });
  });
});

describe.each(targetApis)('recorded answers of %s', (api) => {
  it('show their calls and where they were cut', () => {
    const view = (scenario: Scenario) => viewAnswer(api, JSON.parse(answerOf(api, scenario, false).body));
    expect(view('length')?.cutOff).toBe(true);
    expect(view('calls')?.toolArguments.map((args) => args ?? bigArgs)).toEqual([
      bigArgs,
      view('calls')?.toolArguments[1] === null ? bigArgs : '{}',
    ]);
  });

  it('say in their errors what they mean', () => {
    expect(meaningOf(readSaid(Buffer.from(answerOf(api, 'too-long', false).body)))).toBe('context-window');
    expect([answerOf(api, 'rate-limit', false).status, answerOf(api, 'too-long', false).status]).toEqual([429, 400]);
    expect(read(api, 'error-inside', true)).toMatchObject({ usage: null });
    expect(read(api, 'error-inside', true).errorType).not.toBeNull();
  });

  it('have the members that the simulator makes up', () => {
    const path = {
      'openai-chat': '/v1/chat/completions',
      'anthropic-messages': '/v1/messages',
      'gemini-generate': '/v1beta/models/gemini-2.5-flash:generateContent',
      'cohere-chat': '/v2/chat',
    }[api];
    const simulated = answerTo({ path, headers: {}, body: Buffer.from('{"model":"m"}') });
    const recorded = JSON.parse(answerOf(api, 'text', false).body) as object;
    expect(Object.keys(recorded)).toEqual(expect.arrayContaining(Object.keys(JSON.parse(simulated.body.toString('utf8')) as object)));
    expect(viewAnswer(api, JSON.parse(simulated.body.toString('utf8')))?.text).toContain('plausible');
  });
});

it('answers are recorded for every API that others are translated to', () => {
  expect(
    Object.values(dialects)
      .flatMap(({ chatApi }) => chatApi ?? [])
      .sort(),
  ).toEqual([...targetApis].sort());
});
