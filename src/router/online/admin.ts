import type { LearningEvent } from './hub.ts';
import type { OnlineLearner } from './learner.ts';

/** The parts of learning that the admin server uses. */
export interface LearningAdmin {
  readonly learner: OnlineLearner;
  readonly publish: (event: LearningEvent) => void;
}

type Body = object | { readonly error: string; readonly message: string };

/**
 * GET /learning: a summary for people. GET /learning/state: the full state, as --learning-state stores it. PUT
 * /learning/frozen?frozen=true: grades no longer change anything. DELETE /learning?workspace=NAME (or all=true): forgets. Null for any
 * other request.
 */
export function learningAnswer(
  { learner, publish }: LearningAdmin,
  method: string,
  url: URL,
  now: number,
): { readonly status: number; readonly body: Body } | null {
  const { pathname, searchParams } = url;
  const read = method === 'GET' || method === 'HEAD';
  if (read && pathname === '/learning') return { status: 200, body: learner.summary(now) };
  if (read && pathname === '/learning/state') return { status: 200, body: learner.state(now) };
  if (method === 'PUT' && pathname === '/learning/frozen') {
    const frozen = searchParams.get('frozen');
    if (frozen !== 'true' && frozen !== 'false')
      return { status: 400, body: { error: 'bad-frozen', message: 'frozen must be true or false.' } };
    publish({ kind: 'freeze', frozen: frozen === 'true' });
    return { status: 200, body: { frozen: frozen === 'true' } };
  }
  if (method === 'DELETE' && pathname === '/learning') {
    const workspace = searchParams.get('workspace');
    if ((workspace === null) === (searchParams.get('all') !== 'true'))
      return { status: 400, body: { error: 'bad-reset', message: 'Say workspace=NAME, or all=true.' } };
    publish({ kind: 'reset', workspace });
    return { status: 200, body: { reset: workspace ?? 'all' } };
  }
  return null;
}
