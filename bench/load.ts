import { Agent, request } from 'node:http';

/**
 * An open-loop load at a fixed rate: requests leave within a millisecond of when they are due, whether or not earlier ones are
 * answered. Reads its plan as JSON from the command line, prints the result as JSON.
 */
export interface LoadPlan {
  readonly url: string;
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
  readonly bodyBytes: number;
  readonly sse: boolean;
  /** Sent with every request, on top. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Number of requests sent together each time one is due; default 1. */
  readonly burst?: number;
  /** Closed loop instead of a rate: the number of requests in flight at all times. */
  readonly closedLoop?: number;
}

export interface LoadResult {
  readonly sent: number;
  readonly failed: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answered requests a second. */
  readonly perSecond: number;
  /** Median delay from sending a chunk to its arrival, µs; null if chunks carry no time. */
  readonly chunkUs: number | null;
}

/** The p-th quantile (0..1) of sorted values, nearest rank; NaN when there are none. */
export function quantile(sorted: readonly number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))] ?? NaN;
}

/** A chat body of about this many bytes, as apps send them. */
export function chatBody(bytes: number, sse: boolean): Buffer {
  const head = `{"model":"gpt-5.1","temperature":0.2,${sse ? '"stream":true,"stream_options":{"include_usage":true},' : ''}"messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"`;
  const tail = '"}]}';
  const sentence = 'Summarize what the report says about the third quarter and why. ';
  const room = Math.max(10, bytes - head.length - tail.length);
  return Buffer.from(head + sentence.repeat(Math.ceil(room / sentence.length)).slice(0, room) + tail);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function run(plan: LoadPlan): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const body = chatBody(plan.bodyBytes, plan.sse);
  const headers = {
    'content-type': 'application/json',
    'content-length': body.length,
    ...(plan.sse ? { 'x-bench-sse': '1' } : {}),
    ...plan.headers,
  };
  const latencies: number[] = [];
  const chunks: number[] = [];
  let failed = 0;
  let open = 0;
  let sent = 0;
  const fire = (then: () => void): void => {
    const from = performance.now();
    open++;
    sent++;
    const done = (ok: boolean): void => {
      open--;
      if (ok) latencies.push(performance.now() - from);
      else failed++;
      then();
    };
    const call = request(plan.url, { method: 'POST', agent, headers }, (response) => {
      if (plan.sse) response.on('data', (data: Buffer) => noteChunks(data, chunks));
      else response.resume();
      response.once('end', () => done(response.statusCode === 200));
    });
    call.once('error', () => done(false));
    call.end(body);
  };
  const begin = performance.now() + 50;
  if (plan.closedLoop === undefined) await atRate(plan, begin, () => fire(() => undefined));
  else {
    const until = begin + plan.seconds * 1_000;
    const next = (): void => {
      if (performance.now() < until) fire(next);
    };
    for (let at = 0; at < plan.closedLoop; at++) next();
    await pause(plan.seconds * 1_000 + 50);
  }
  const deadline = performance.now() + 10_000;
  while (open > 0 && performance.now() < deadline) await pause(5);
  const took = (performance.now() - begin) / 1_000;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  chunks.sort((a, b) => a - b);
  return {
    sent,
    failed: failed + open,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    perSecond: latencies.length / took,
    chunkUs: chunks.length === 0 ? null : quantile(chunks, 0.5),
  };
}

async function atRate({ rate, seconds, burst = 1 }: LoadPlan, begin: number, fire: () => void): Promise<void> {
  const total = Math.round(rate * seconds);
  for (let turn = 0; turn < total; turn++) {
    const due = begin + (turn * 1000) / rate;
    // Sleeps, although timers have millisecond resolution: a generator that polls for the time keeps a core from what it measures.
    for (let wait = due - performance.now(); wait > 0; wait = due - performance.now()) await pause(wait);
    for (let at = 0; at < burst; at++) fire();
  }
}

/** The provider writes its clock into each chunk, which is that of all processes here. */
function noteChunks(data: Buffer, into: number[]): void {
  const now = process.hrtime.bigint();
  for (const [, sentAt] of data.toString('latin1').matchAll(/"at (\d+)"/g)) into.push(Number(now - BigInt(sentAt!)) / 1_000);
}

if (import.meta.main) {
  const result = await run(JSON.parse(process.argv[2] ?? '{}') as LoadPlan);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}
