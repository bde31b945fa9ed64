import { createHash } from 'node:crypto';

export interface SimulatedAnswer {
  readonly status: number;
  readonly contentType: string;
  /** A stream's pieces in order; null if `body` is the answer. */
  readonly events: readonly string[] | null;
  readonly body: Buffer;
}

export type Fields = Readonly<Record<string, unknown>>;

const prose =
  'Here is a short and plausible answer from the simulator. It says nothing about your question, but it has a beginning, a middle and an end, and it takes about as many tokens as a real one would.';

/** The simulated provider's counts for one request. */
export interface Counted {
  readonly id: string;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly reasoning: number;
  readonly text: string;
}

/** The counts for a request: the same for the same body. */
export function count(body: Buffer, model: string): Counted {
  const seed = createHash('sha256').update(body).digest();
  const input = Math.max(3, Math.round(body.length / 4.2));
  const words = prose.split(' ').slice(0, 8 + (seed[0]! % 28));
  const wantsJson = ['json_schema', 'json_object', 'application/json'].some((word) => body.includes(word));
  const text = wantsJson ? JSON.stringify({ answer: words.slice(0, 6).join(' '), confidence: (seed[1]! % 100) / 100 }) : words.join(' ');
  const reasoning = /^(?:o\d|gpt-5|gemini-2\.5-pro)/.test(model) ? 64 * (1 + (seed[2]! % 4)) : 0;
  return {
    id: seed.toString('hex', 4, 12),
    input,
    cached: input > 1_500 ? Math.floor(input / 128 / 2) * 128 : 0,
    output: Math.round(text.length / 4) + 2,
    reasoning,
    text,
  };
}

/** A call as a simulation receives it. */
export interface SimulatedCall {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  /** The body's members; empty if it is not a JSON object. */
  readonly parsed: Fields;
}

/** The simulator's answers for the providers of one wire format. */
export interface Simulation {
  /** Null if the path belongs to another wire format. */
  readonly answer: (call: SimulatedCall) => SimulatedAnswer | null;
  /** The body of an error; called on the simulation that answers the path. */
  readonly error: (status: number, message: string) => object;
}

export function json(status: number, value: unknown): SimulatedAnswer {
  return { status, contentType: 'application/json', events: null, body: Buffer.from(JSON.stringify(value)) };
}

export const empty: Buffer = Buffer.alloc(0);

export function sse(events: readonly string[]): SimulatedAnswer {
  return { status: 200, contentType: 'text/event-stream; charset=utf-8', events, body: empty };
}

/** Splits a text into stream pieces. */
export function pieces(text: string): string[] {
  return text.match(/\S+\s*/g) ?? [text];
}

/** The first tool of a request; null if it has none. */
export function toolName(parsed: Fields): string | null {
  const first = Array.isArray(parsed['tools']) ? (parsed['tools'][0] as Fields | undefined) : undefined;
  if (first === undefined) return null;
  const fn = (first['function'] ?? first) as Fields;
  return typeof fn['name'] === 'string' ? fn['name'] : null;
}
