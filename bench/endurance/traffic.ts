import { Agent, request } from 'node:http';
import { quantile } from '../load.ts';
import { sleep } from './types.ts';

/** One request as its client saw it. */
export interface Seen {
  /** When it was due, and how long it took from then, in ms of `performance.now()`. */
  readonly due: number;
  readonly ms: number;
  /** 0 if there was no complete response. */
  readonly status: number;
  /** The decision's id; null if the request passed undecided. */
  readonly id: string | null;
  readonly model: string | null;
  /** What went wrong, in words. */
  readonly problem: string | null;
}

export interface TrafficOptions {
  /** The gateway's base URL. */
  readonly url: string;
  /** Requests a second. */
  readonly rate: number;
  /** UTF-16 units of a prompt. */
  readonly units?: number;
  /** Every n-th request repeats an earlier question; 0 for none. */
  readonly repeatEvery?: number;
  /** Every n-th request is streamed; 0 for none. */
  readonly streamEvery?: number;
}

let asked = 0;

/** A chat's body; each is another question unless `repeated`. */
export function chat(units: number, stream: boolean, repeated: boolean): string {
  const number = repeated ? asked++ % 50 : asked++;
  const question = `What is the answer to question ${repeated ? 'again' : 'new'} ${number} of ${process.pid}? `;
  const content = question + 'Say what the report has to say about it. '.repeat(Math.max(0, Math.ceil((units - question.length) / 41)));
  return JSON.stringify({
    model: 'gpt-5.1',
    temperature: 0.2,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    messages: [{ role: 'user', content }],
  });
}

/** Asks once. */
export function ask(url: string, agent: Agent, body: string, stream: boolean, due = performance.now()): Promise<Seen> {
  return new Promise((resolve) => {
    let answered: Pick<Seen, 'status' | 'id' | 'model'> = { status: 0, id: null, model: null };
    const done = (problem: string | null): void =>
      resolve({ due, ms: performance.now() - due, ...answered, status: problem === null ? answered.status : 0, problem });
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      authorization: 'Bearer sk-app',
      ...(stream ? { 'x-bench-sse': '1' } : {}),
    };
    const call = request(`${url}/v1/chat/completions`, { method: 'POST', agent, headers }, (response) => {
      const header = (name: string): string | null => (typeof response.headers[name] === 'string' ? response.headers[name] : null);
      answered = { status: response.statusCode ?? 0, id: header('x-sluice-decision'), model: header('x-sluice-model') };
      response.resume();
      response.once('end', () => done(answered.status === 200 ? null : `status ${answered.status}`));
      response.once('error', (error) => done(error.message));
    });
    call.once('error', (error) => done(error.message));
    call.end(body);
  });
}

/** Requests at a fixed rate, whether or not earlier ones are answered. */
export class Traffic {
  readonly seen: Seen[] = [];
  readonly #options: TrafficOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4_096 });
  #timer: NodeJS.Timeout | null = null;
  #begun = 0;
  #sent = 0;
  #open = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  get sent(): number {
    return this.#sent;
  }

  start(): this {
    this.#begun = performance.now();
    this.#timer = setInterval(() => this.#fire(), 4);
    return this;
  }

  /** Stops sending and waits for requests in flight, at most 30 seconds. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    const deadline = performance.now() + 30_000;
    while (this.#open > 0 && performance.now() < deadline) await sleep(10);
    this.#agent.destroy();
  }

  /** Requests that were due between two moments of `performance.now()`. */
  between(from: number, to = Infinity): Seen[] {
    return this.seen.filter(({ due }) => due >= from && due < to);
  }

  #fire(): void {
    const { rate, url, units = 800, repeatEvery = 10, streamEvery = 10 } = this.#options;
    const now = performance.now();
    for (;;) {
      const due = this.#begun + (this.#sent * 1_000) / rate;
      if (due > now) return;
      const number = this.#sent++;
      const stream = streamEvery > 0 && number % streamEvery === 1;
      this.#open++;
      void ask(url, this.#agent, chat(units, stream, repeatEvery > 0 && number % repeatEvery === 0), stream, due).then((one) => {
        this.#open--;
        this.seen.push(one);
      });
    }
  }
}

export interface Sums {
  readonly requests: number;
  readonly failed: number;
  readonly undecided: number;
  /** Milliseconds; NaN without requests. */
  readonly p50: number;
  readonly p99: number;
  readonly slowest: number;
  /** What went wrong, and how often. */
  readonly problems: string;
}

export function sum(seen: readonly Seen[]): Sums {
  const times = seen
    .filter(({ problem }) => problem === null)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b);
  const problems = new Map<string, number>();
  for (const { problem } of seen) if (problem !== null) problems.set(problem, (problems.get(problem) ?? 0) + 1);
  return {
    requests: seen.length,
    failed: seen.length - times.length,
    undecided: seen.filter(({ problem, id }) => problem === null && id === null).length,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    slowest: times.at(-1) ?? NaN,
    problems: [...problems].map(([what, times_]) => `${times_} × ${what}`).join(', '),
  };
}

/** Requests a second that are answered when `clients` ask without a pause. */
export async function capacity(
  url: string,
  options: { readonly clients: number; readonly seconds: number; readonly units?: number },
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.clients });
  const deadline = performance.now() + options.seconds * 1_000;
  let answered = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < deadline) {
      const { problem } = await ask(url, agent, chat(options.units ?? 800, false, false), false);
      if (problem === null) answered++;
    }
  };
  await Promise.all(Array.from({ length: options.clients }, client));
  agent.destroy();
  return answered / options.seconds;
}
