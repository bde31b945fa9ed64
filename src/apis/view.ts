import { object, type AnswerView } from './common/answer-view.ts';
import { apis } from './registry.ts';
import type { ApiName } from './types.ts';

/** The view of one parsed answer; null when it does not have the shape of the API's answers. */
export function viewAnswer(api: ApiName, answer: unknown): AnswerView | null {
  const body = object(answer);
  const { view } = apis[api].answer;
  return body === null || view === null ? null : view(body);
}

/** Whether the API's streams may be JSON arrays. */
export function hasArrayStreams(api: ApiName): boolean {
  return apis[api].answer.arrayStreams;
}

/** Whether the API's whole answers can be viewed at all. */
export function hasView(api: ApiName): boolean {
  return apis[api].answer.view !== null;
}
