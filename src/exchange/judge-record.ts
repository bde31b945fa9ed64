import { judgeApi, type JudgeCall } from '../grades/judge.ts';
import { buildRecord, type AnswerEnding, type RequestFacts } from '../record/record.ts';
import { uuidv7 } from '../record/id.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { unread } from './observed.ts';

/** The record of a call that graded an answer: whose it was, and what it cost. It names no user: none asked for it. */
export function judgeRecord({ judged, target, generation, requestBytes, startedAt, tookMs, status, answer }: JudgeCall): ExchangeRecord {
  const facts: RequestFacts = {
    kind: 'judge',
    id: uuidv7(),
    wallTime: startedAt,
    generation,
    workspace: judged.workspace,
    user: null,
    caller: null,
    budgets: [],
    provider: target.provider,
    api: judgeApi,
    operation: 'generate',
    stream: false,
    passReason: null,
    requestedModel: target.model,
    verdict: null,
    decision: null,
    section: judged.section,
    mode: judged.mode,
    request: { ...unread, bytes: requestBytes },
    arm: null,
    cache: 'off',
    cacheEntry: null,
    trace: null,
    overheadMs: 0,
  };
  const ending: AnswerEnding = {
    outcome: outcomeOf(status, answer),
    status,
    answer,
    firstByteMs: null,
    firstTokenMs: null,
    totalMs: tookMs,
  };
  return { ...buildRecord(facts, ending, null), judgeOf: judged.id };
}

function outcomeOf(status: number | null, answer: JudgeCall['answer']): AnswerEnding['outcome'] {
  if (status === null) return 'unobserved';
  if (status >= 400 || (answer !== null && answer.errorType !== null)) return 'provider-error';
  return answer?.complete === true ? 'complete' : 'cut';
}
