import type { MetricSpecs } from './spec.ts';

/** Of what tells how hard a request is and how good an answer. */
export const qualitySpecs = {
  sessions: { name: 'llm_proxy_sessions', type: 'gauge', labels: [], help: 'Conversations that are remembered.' },
  sessionTurns: {
    name: 'llm_proxy_session_turn_total',
    type: 'counter',
    labels: ['effect'],
    help: 'Turns of conversations: `raised` to the tier that an earlier one needed, `kept-for-cache` where the prompt cache made the last model the cheapest, or `none`.',
  },
  grades: {
    name: 'llm_proxy_grade_total',
    type: 'counter',
    labels: ['source', 'tier', 'model'],
    help: 'Grades of answers, by who gave them and who answered.',
  },
  gradeScores: {
    name: 'llm_proxy_grade_score_total',
    type: 'counter',
    labels: ['source', 'tier', 'model'],
    help: 'Their scores, 0 to 1 each, added up: divided by llm_proxy_grade_total it is the mean.',
  },
  feedback: {
    name: 'llm_proxy_feedback_total',
    type: 'counter',
    labels: ['source', 'result'],
    help: 'Calls of /v1/feedback: `accepted`, `unknown` (no such decision for this caller) or `invalid`.',
  },
  embedded: {
    name: 'llm_proxy_embedding_total',
    type: 'counter',
    labels: ['result'],
    help: 'Vectors of the sentence model: `cached`, `computed` while the request waited, `late`, or the model was `busy` or has `failed`.',
  },
  judged: {
    name: 'llm_proxy_judge_total',
    type: 'counter',
    labels: ['result'],
    help: 'Answers that were drawn for the judge: `graded`, or why not.',
  },
  verified: {
    name: 'llm_proxy_verify_total',
    type: 'counter',
    labels: ['result'],
    help: 'Requests verified: graded by `agreement` or by the `judge`, `unclear` where neither could say, `unreadable` where one answer is missing.',
  },
  judgeCost: {
    name: 'llm_proxy_judge_cost_total',
    type: 'counter',
    labels: [],
    help: "US dollars of the judge's calls, of those whose cost is known.",
  },
} as const satisfies MetricSpecs;
