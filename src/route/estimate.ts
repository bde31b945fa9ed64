import type { TaskType, Verdict } from '../classify/types.ts';
import type { Exchange } from '../apis/types.ts';

/**
 * Assumed output tokens of an answer, by task. These are assumptions for comparing prices, not measurements: they only have to be the same
 * for all candidates of one request. `echo`: the answer is about as long as the input text.
 */
const expectedByTask: Readonly<Record<TaskType, number | 'echo'>> = {
  classification: 20,
  extraction: 150,
  translation: 'echo',
  summary: 250,
  rewrite: 'echo',
  question: 300,
  writing: 700,
  planning: 700,
  brainstorming: 350,
  chitchat: 60,
  code: 800,
  maths: 600,
  agent: 300,
  unknown: 400,
};

/** Bounds of an `echo`, in tokens. */
const echo = { least: 50, most: 4_000 };

/** Approximate UTF-16 units of the last user text per token; only scales an `echo`. */
const unitsPerToken = 4;

/**
 * Output tokens that estimates assume for one answer: what the task usually needs, at most the app's own limit. 0 for operations that
 * generate nothing.
 */
export function expectedAnswerTokens(exchange: Exchange, verdict: Verdict): number {
  if (exchange.operation !== 'generate') return 0;
  // A caller's stated task must not lower the amount reserved in a budget.
  const byTask = expectedByTask[verdict.classifiedTask ?? verdict.task];
  const expected =
    byTask === 'echo' ? Math.min(echo.most, Math.max(echo.least, Math.ceil(exchange.lastUser.length / unitsPerToken))) : byTask;
  return exchange.maxOutputTokens === null ? expected : Math.min(expected, exchange.maxOutputTokens);
}

/** Output tokens for the whole call: `n` answers are billed `n` times. */
export function expectedOutputTokens(exchange: Exchange, verdict: Verdict): number {
  return expectedAnswerTokens(exchange, verdict) * Math.max(1, exchange.n);
}
