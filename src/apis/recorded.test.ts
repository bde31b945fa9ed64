import { describe, expect, it } from 'vitest';
import { answerTo } from '../demo/simulator-answers.ts';
import { readAnswer } from './answer.ts';
import { meaningOf, readSaid } from './common/error-words.ts';
import type { ApiName } from './names.ts';
import { renderAnswer } from './replay.ts';
import { about, answerOf, bigArgs, counted, isRecorded, recordedApis, targetApis, words, type Scenario } from './testing/fixtures.ts';
import { AnswerTranslator, translateAnswer } from './translate.ts';
import type { Answer } from './types.ts';
import { viewAnswer } from './view.ts';

function read(api: ApiName, scenario: Scenario, stream: boolean): Answer {
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

const both = recordedApis
  .flatMap((api) => [false, true].map((stream) => ({ api, stream, how: stream ? 'streamed' : 'whole' })))
  .filter(({ api, stream }) => isRecorded(api, 'text', stream));
/** What embeddings lack: output, and a reason for its end. */
const embeds = (api: ApiName): boolean => api === 'openai-embeddings';

describe.each(both)('recorded answers of $api, $how', ({ api, stream }) => {
  it.each((['text', 'calls', 'length', 'filter'] as const).filter((scenario) => isRecorded(api, scenario)))(
    'are counted: %s',
    (scenario) => {
      const answer = read(api, scenario, stream);
      expect(answer).toMatchObject({
        complete: true,
        errorType: null,
        usage: { totalInput: counted.input, totalOutput: embeds(api) ? 0 : counted.output },
      });
      expect(answer.usage?.cachedRead).toBe(embeds(api) || about(api).countsCached === false ? 0 : counted.cached);
      if (embeds(api)) return;
      expect(answer.finishReason).not.toBeNull();
      expect(answer.id).not.toBeNull();
    },
  );

  it.each((['text', 'calls'] as const).filter((scenario) => !embeds(api) && isRecorded(api, scenario, stream)))(
    'change their form for the cache and stay what they are: %s',
    (scenario) => {
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
    },
  );
});

describe.each(recordedApis)('recorded answers of %s', (api) => {
  it.runIf(isRecorded(api, 'length'))('show their calls and where they were cut', () => {
    const view = (scenario: Scenario) => viewAnswer(api, JSON.parse(answerOf(api, scenario, false).body));
    expect(view('length')?.cutOff).toBe(true);
    if (isRecorded(api, 'filter'))
      expect(view('filter')).toMatchObject(api === 'anthropic-messages' ? { refused: true } : { filtered: true });
    if (!isRecorded(api, 'calls')) return;
    expect(view('calls')?.toolArguments.map((args) => args ?? bigArgs)).toEqual([
      bigArgs,
      view('calls')?.toolArguments[1] === null ? bigArgs : '{}',
    ]);
  });

  it('say in their errors what they mean', () => {
    expect(meaningOf(readSaid(Buffer.from(answerOf(api, 'too-long', false).body)))).toBe('context-window');
    expect([answerOf(api, 'rate-limit', false).status, answerOf(api, 'too-long', false).status]).toEqual([429, 400]);
    if (!isRecorded(api, 'error-inside')) return;
    expect(read(api, 'error-inside', true)).toMatchObject({ usage: null });
    expect(read(api, 'error-inside', true).errorType).not.toBeNull();
  });

  it('have the members that the simulator makes up', () => {
    const { path } = about(api);
    const simulated = answerTo({ path, headers: {}, body: Buffer.from('{"model":"m"}') });
    const recorded = JSON.parse(answerOf(api, 'text', false).body) as object;
    expect(Object.keys(recorded)).toEqual(expect.arrayContaining(Object.keys(JSON.parse(simulated.body.toString('utf8')) as object)));
    if (!embeds(api)) expect(viewAnswer(api, JSON.parse(simulated.body.toString('utf8')))?.text).toContain('plausible');
  });
});

it.each(targetApis)('answers of %s are recorded, since others are translated to it', (api) => {
  expect(recordedApis).toContain(api);
  for (const scenario of ['text', 'calls'] as const)
    for (const stream of [false, true]) expect(isRecorded(api, scenario, stream)).toBe(true);
});

describe.each(targetApis)('recorded answers of %s, translated to the Responses API', (api) => {
  const options = { model: 'gpt-4.1', id: 'decision-1', created: 1_770_000_001 };

  it('have no members that OpenAI’s own have not, and show the same', () => {
    const { body } = translateAnswer(api, 'openai-responses', 200, Buffer.from(answerOf(api, 'calls', false).body), options);
    const translated = JSON.parse(body.toString('utf8')) as object;
    const recorded = JSON.parse(answerOf('openai-responses', 'calls', false).body) as object;
    expect(Object.keys(recorded)).toEqual(expect.arrayContaining(Object.keys(translated)));
    const text = translateAnswer(api, 'openai-responses', 200, Buffer.from(answerOf(api, 'text', false).body), options);
    expect(viewAnswer('openai-responses', JSON.parse(text.body.toString('utf8')))).toMatchObject({ text: words.join(''), cutOff: false });
  });

  it('have no events that OpenAI’s own have not', () => {
    const translator = new AnswerTranslator(api, 'openai-responses', options);
    const translated = Buffer.concat([translator.push(Buffer.from(answerOf(api, 'calls', true).body)), translator.end(true)]).toString(
      'utf8',
    );
    const types = (text: string): string[] => [...new Set([...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type!))].sort();
    expect(types(answerOf('openai-responses', 'calls', true).body)).toEqual(expect.arrayContaining(types(translated)));
    expect(types(translated)).toContain('response.completed');
  });
});
