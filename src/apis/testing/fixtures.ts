import { existsSync, readFileSync } from 'node:fs';

/** The APIs that are translation targets, and those that are translation sources. */
export const targetApis = ['openai-chat', 'anthropic-messages', 'gemini-generate', 'cohere-chat'] as const;
export type TargetApi = (typeof targetApis)[number];
export type CallerApi = TargetApi | 'openai-responses';
/** All APIs whose answers are recorded: those that others are translated to, and those that are only called. */
export const recordedApis = [...targetApis, 'openai-responses', 'openai-completions', 'openai-embeddings'] as const;
export type RecordedApi = (typeof recordedApis)[number];

/** One provider's answer in its wire format: JSON, or a stream's text. */
export interface ProviderAnswer {
  readonly status: number;
  readonly body: string;
}

export type Scenario = 'text' | 'calls' | 'length' | 'filter' | 'rate-limit' | 'too-long' | 'overloaded' | 'error-inside';

export const words = ['Grüße, ', '世界 ', '– 🌍', '!'];
/** Arguments with numbers that a JavaScript number cannot represent. */
export const bigArgs = '{"id":12345678901234567890,"ratio":1.0,"note":"a \\"quoted\\" 🌍"}';
export const messages: Readonly<Record<string, string>> = {
  'rate-limit': 'Slow down, please.',
  overloaded: 'Everyone is here today.',
  'error-inside': 'The machine caught fire.',
};

/**
 * The counts of every scenario: 100 input tokens of which 30 came from a cache, 50 output tokens of which 20 (if the provider reports it)
 * were for thinking.
 */
export const counted = { input: 100, cached: 30, output: 50 } as const;

const recordings = new URL('../../../test/recorded/', import.meta.url);

/** The file of a recorded answer: JSON, or a stream. */
function fileOf(api: RecordedApi, scenario: Scenario, stream: boolean): URL {
  return new URL(`${api}/${scenario}.${stream ? 'sse' : 'json'}`, recordings);
}

function statusOf(api: RecordedApi, scenario: Scenario): number {
  const statuses = JSON.parse(readFileSync(new URL(`${api}/statuses.json`, recordings), 'utf8')) as Readonly<
    Partial<Record<Scenario, number>>
  >;
  return statuses[scenario] ?? 200;
}

/** Whether this answer of an API was recorded. `stream`: in its streamed form; absent: in the form that the scenario has everywhere. */
export function isRecorded(api: RecordedApi, scenario: Scenario, stream = scenario === 'error-inside'): boolean {
  return existsSync(fileOf(api, scenario, stream));
}

/** A provider's recorded answer. An error is JSON, even if a stream was requested. */
export function answerOf(api: RecordedApi, scenario: Scenario, stream: boolean): ProviderAnswer {
  const status = statusOf(api, scenario);
  return { status, body: readFileSync(fileOf(api, scenario, stream && status === 200), 'utf8') };
}
