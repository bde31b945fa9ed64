import type { Answer } from '../../apis/types.ts';
import type { OutcomeKind } from '../../record/types.ts';

/** The outcome of an observed answer. `whole`: it was complete in HTTP's terms; `cancelled`: the client ended it. */
export function outcomeOf(status: number, answer: Answer | null, whole: boolean, cancelled: boolean): OutcomeKind {
  if (status >= 400 || (answer !== null && answer.errorType !== null)) return 'provider-error';
  // A terminal event means a whole answer, whoever closed the connection afterwards.
  if (answer?.complete === true) return 'complete';
  if (cancelled) return 'client-gone';
  if (!whole || (answer !== null && !answer.complete)) return 'cut';
  return 'complete';
}
