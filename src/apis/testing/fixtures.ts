import { existsSync, readFileSync } from 'node:fs';
import type { ApiName } from '../names.ts';
import { apiNames, apis, dialects } from '../registry.ts';

const recordings = new URL('../../../test/recorded/', import.meta.url);

/** The APIs that others are translated to. */
export const targetApis: readonly ApiName[] = [...new Set(Object.values(dialects).flatMap(({ chatApi }) => chatApi ?? []))];
/** The APIs whose requests are translated to others. */
export const callerApis: readonly ApiName[] = apiNames.filter((name) => apis[name].translation.caller !== null);
/** All APIs whose answers are recorded: those that others are translated to, and those that are only called. */
export const recordedApis: readonly ApiName[] = apiNames.filter((name) => existsSync(new URL(`${name}/about.json`, recordings)));

/** What tests have to know of an API whose answers are recorded. */
interface About {
  /** A model that takes what the tests ask. */
  readonly model: string;
  /** The path of a call. */
  readonly path: string;
  /** The status of each error. */
  readonly statuses: Readonly<Partial<Record<Scenario, number>>>;
  /** Whether tokens of the prompt cache are billed as a class of their own; absent: they are. */
  readonly countsCached?: boolean;
  /** Whether a chat request that is translated to it and back is the same; absent: it is. */
  readonly exact?: boolean;
}

export function about(api: ApiName): About {
  return JSON.parse(readFileSync(new URL(`${api}/about.json`, recordings), 'utf8')) as About;
}

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
 * The counts of every scenario: 100 input tokens, 30 of them from a cache, 50 output tokens of which 20 (if the provider reports it)
 * were for thinking.
 */
export const counted = { input: 100, cached: 30, output: 50 } as const;

/** The file of a recorded answer: JSON, or a stream. */
function fileOf(api: ApiName, scenario: Scenario, stream: boolean): URL {
  return new URL(`${api}/${scenario}.${stream ? 'sse' : 'json'}`, recordings);
}

function statusOf(api: ApiName, scenario: Scenario): number {
  return about(api).statuses[scenario] ?? 200;
}

/** Whether this answer of an API was recorded. `stream`: in its streamed form; absent: in the form that the scenario has everywhere. */
export function isRecorded(api: ApiName, scenario: Scenario, stream = scenario === 'error-inside'): boolean {
  return existsSync(fileOf(api, scenario, stream));
}

/** A provider's recorded answer. An error is JSON, even if a stream was requested. */
export function answerOf(api: ApiName, scenario: Scenario, stream: boolean): ProviderAnswer {
  const status = statusOf(api, scenario);
  return { status, body: readFileSync(fileOf(api, scenario, stream && status === 200), 'utf8') };
}
