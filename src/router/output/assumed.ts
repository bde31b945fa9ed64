import type { TaskType } from '../../classify/types.ts';

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
 * Output tokens assumed for one answer before any answer was seen: what the task usually needs, at most the app's own limit. `units`: UTF-16
 * units of the last user text. `maxOutputTokens`: null if the app sets no limit.
 */
export function assumedTokens(task: TaskType, units: number, maxOutputTokens: number | null): number {
  const byTask = expectedByTask[task];
  const expected = byTask === 'echo' ? Math.min(echo.most, Math.max(echo.least, Math.ceil(units / unitsPerToken))) : byTask;
  return maxOutputTokens === null ? expected : Math.min(expected, maxOutputTokens);
}
