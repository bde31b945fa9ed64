import { Agent, request } from 'node:http';

/**
 * An open-loop load at a fixed rate: requests leave when they are due, whether or not earlier ones are answered, and their
 * latency counts from when they were due. Reads its plan as JSON from the command line, prints the result as JSON.
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
}

export interface LoadResult {
  readonly sent: number;
  readonly failed: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
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

async function run(plan: LoadPlan): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const body = chatBody(plan.bodyBytes, plan.sse);
  const headers = { 'content-type': 'application/json', 'content-length': body.length, ...(plan.sse ? { 'x-bench-sse': '1' } : {}), ...plan.headers };
  const latencies: number[] = [];
  let failed = 0;
  let open = 0;
  const total = Math.round(plan.rate * plan.seconds);
  const begin = performance.now() + 50;
  const fire = (due: number): void => {
    open++;
    const done = (ok: boolean): void => {
      open--;
      if (ok) latencies.push(performance.now() - due);
      else failed++;
    };
    const call = request(plan.url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('end', () => done(response.statusCode === 200));
    });
    call.once('error', () => done(false));
    call.end(body);
  };
  for (let sent = 0; sent < total; sent++) {
    const due = begin + (sent * 1000) / plan.rate;
    for (;;) {
      const wait = due - performance.now();
      if (wait <= 0) break;
      // Timers are a millisecond coarse: sleep while it is far, poll when it is near.
      await (wait > 2 ? new Promise((resolve) => setTimeout(resolve, wait - 1.5)) : new Promise((resolve) => setImmediate(resolve)));
    }
    fire(due);
  }
  const deadline = performance.now() + 10_000;
  while (open > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  agent.destroy();
  latencies.sort((a, b) => a - b);
  return { sent: total, failed: failed + open, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}

if (import.meta.main) {
  const result = await run(JSON.parse(process.argv[2] ?? '{}') as LoadPlan);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}
