import { expect, it } from 'vitest';
import { readAnswer } from '../answer.ts';
import type { Answer } from '../types.ts';

function read(contentType: string, body: string): Answer {
  const reader = readAnswer({ api: 'other-llm', status: 200, contentType, contentEncoding: '', usageNotAsked: false });
  reader.push(Buffer.from(body));
  return reader.end(true);
}
const whole = (body: object): Answer => read('application/json', JSON.stringify(body));
const stream = (...events: readonly object[]): Answer =>
  read('text/event-stream', events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));

const anthropic = { input_tokens: 10, cache_read_input_tokens: 5, cache_creation_input_tokens: 0, output_tokens: 20 };
const interaction = {
  total_input_tokens: 7,
  total_output_tokens: 20,
  total_thought_tokens: 22,
  total_cached_tokens: 0,
  total_tool_use_tokens: 0,
  total_tokens: 49,
  input_tokens_by_modality: [
    { modality: 'text', tokens: 4 },
    { modality: 'audio', tokens: 3 },
  ],
};

it.each([
  ['OpenAI', { usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 } }, { totalInput: 1, totalOutput: 2 }],
  ['Anthropic', { usage: anthropic }, { totalInput: 15, cachedRead: 5, totalOutput: 20 }],
  ['Gemini', { usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 } }, { totalInput: 5 }],
  ['Gemini’s interactions', { usage: interaction }, { totalInput: 7, audioInput: 3, totalOutput: 42, reasoning: 22 }],
  ['Cohere', { meta: { billed_units: { input_tokens: 5, output_tokens: 6 } } }, { totalInput: 5, totalOutput: 6 }],
])('reads the usage in the words of %s', (_name, body, usage) => {
  const answer = whole(body);
  expect(answer.usage).toMatchObject(usage);
  expect(answer.usage).not.toHaveProperty('beyond');
});

it('an interaction’s count that nobody knows makes its cost a lower bound', () =>
  expect(whole({ usage: { ...interaction, total_magic_tokens: 3 } }).usage?.beyond).toEqual(['total_magic_tokens']));

it.each([
  [
    'Anthropic’s messages through Vertex AI',
    [
      { type: 'message_start', message: { id: 'm', model: 'claude', usage: { ...anthropic, output_tokens: 1 } } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hi' } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 20 } },
      { type: 'message_stop' },
    ],
    { totalInput: 15, totalOutput: 20 },
  ],
  [
    'Gemini through an endpoint',
    [
      { candidates: [{ content: { parts: [{ text: 'a' }] } }] },
      {
        candidates: [{ content: { parts: [{ text: 'b' }] }, finishReason: 'STOP' }],
        usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 6 },
      },
    ],
    { totalInput: 5, totalOutput: 6 },
  ],
  [
    'interactions',
    [
      { event_type: 'interaction.start', interaction: { id: 'i', status: 'in_progress' } },
      { event_type: 'content.delta', index: 0, delta: { type: 'text', text: 'hi' } },
      { event_type: 'interaction.complete', interaction: { id: 'i', model: 'gemini', status: 'completed', usage: interaction } },
    ],
    { totalInput: 7, totalOutput: 42 },
  ],
  [
    'runs of assistants',
    [
      { id: 'run_1', object: 'thread.run', model: 'gpt-4.1', status: 'in_progress', usage: null },
      {
        id: 'run_1',
        object: 'thread.run',
        model: 'gpt-4.1',
        status: 'completed',
        usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
      },
    ],
    { totalInput: 100, totalOutput: 20 },
  ],
])('reads the stream of %s', (name, events, usage) => {
  const answer = name.startsWith('runs')
    ? read('text/event-stream', `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`)
    : stream(...events);
  expect(answer).toMatchObject({ usage, complete: true, errorType: null });
});

const line = (value: object): string => `${JSON.stringify(value)}\n`;
const cohereEvents = [
  { is_finished: false, event_type: 'stream-start', generation_id: 'g' },
  { is_finished: false, event_type: 'text-generation', text: 'Hi' },
  {
    is_finished: true,
    event_type: 'stream-end',
    finish_reason: 'COMPLETE',
    response: { response_id: 'r', text: 'Hi', meta: { billed_units: { input_tokens: 4, output_tokens: 2 }, tokens: { input_tokens: 70 } } },
  },
];

it('reads Cohere’s streams of version 1, as JSON lines and as events', () => {
  const expected = { usage: { totalInput: 4, totalOutput: 2 }, complete: true, errorType: null, finishReason: 'COMPLETE', id: 'r' };
  const lines = cohereEvents.map(line).join('');
  expect(read('application/stream+json', lines)).toMatchObject(expected);
  expect(read('application/stream+json', lines.replaceAll('\n', '\r\n'))).toMatchObject(expected);
  expect(read('application/stream+json; charset=utf-8', lines.trimEnd())).toMatchObject(expected);
  expect(stream(...cohereEvents)).toMatchObject(expected);
  expect(read('application/stream+json', cohereEvents.slice(0, 2).map(line).join(''))).toMatchObject({ usage: null, complete: false });
  const failed = { event_type: 'stream-end', finish_reason: 'ERROR_LIMIT', response: {} };
  expect(read('application/stream+json', line(failed))).toMatchObject({ usage: null, errorType: 'ERROR_LIMIT' });
});

it('reads Ollama’s own streams and answers', () => {
  const last = { model: 'llama3.2', done: true, done_reason: 'stop', prompt_eval_count: 26, eval_count: 298, eval_duration: 4 };
  const expected = { model: 'llama3.2', usage: { totalInput: 26, totalOutput: 298 }, complete: true };
  expect(
    read('application/x-ndjson', [{ model: 'llama3.2', done: false, message: { content: 'x' } }, last].map(line).join('')),
  ).toMatchObject(expected);
  expect(whole(last)).toMatchObject(expected);
  expect(whole(last).usage).not.toHaveProperty('beyond');
});
