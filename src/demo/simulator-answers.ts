import { json, type Fields, type SimulatedAnswer, type SimulatedCall } from '../apis/common/simulation.ts';
import { openaiSimulation } from '../apis/openai/simulator.ts';
import { dialects } from '../apis/registry.ts';

export type { SimulatedAnswer } from '../apis/common/simulation.ts';

/** One request as received by the simulator. */
interface Received {
  readonly method?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

/** Answers in the format of the provider whose path was called. */
export function answerTo(request: Received): SimulatedAnswer {
  const url = new URL(request.path, 'http://simulator');
  const call: SimulatedCall = { path: url.pathname, query: url.searchParams, body: request.body, parsed: parse(request.body) };
  const status = Number(request.headers['x-sim-status'] ?? 200);
  for (const { simulation } of Object.values(dialects)) {
    const answer = simulation?.answer(call) ?? null;
    if (answer !== null) return status < 400 ? answer : json(status, simulation!.error(status, wanted(status)));
  }
  return status < 400
    ? json(200, { path: call.path, bytes: request.body.length })
    : json(status, openaiSimulation.error(status, wanted(status)));
}

function wanted(status: number): string {
  return `The simulator was asked to answer ${status}.`;
}

function parse(body: Buffer): Fields {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Fields) : {};
  } catch {
    return {};
  }
}
