import { judgeApi, type JudgeCall } from '../grades/judge.ts';
import { buildRecord, type AnswerEnding } from '../record/record.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { outcomeOf } from './answer/outcome.ts';
import { extraCallFacts } from './extra-call.ts';
import { unread } from './observed.ts';

/** The record of a call that graded an answer: whose it was, and what it cost. It names no user: none asked for it. */
export function judgeRecord({ judged, target, generation, requestBytes, startedAt, tookMs, status, answer }: JudgeCall): ExchangeRecord {
  const facts = extraCallFacts({
    kind: 'judge',
    wallTime: startedAt,
    generation,
    workspace: judged.workspace,
    user: null,
    caller: null,
    provider: target.provider,
    api: judgeApi,
    operation: 'generate',
    stream: false,
    requestedModel: target.model,
    verdict: null,
    section: judged.section,
    mode: judged.mode,
    request: { ...unread, bytes: requestBytes },
    arm: null,
  });
  const ending: AnswerEnding = {
    outcome: status === null ? 'unobserved' : outcomeOf(status, answer, false, false),
    status,
    answer,
    firstByteMs: null,
    firstTokenMs: null,
    totalMs: tookMs,
  };
  return { ...buildRecord(facts, ending, null), judgeOf: judged.id };
}
