import { z } from 'zod';
import { limits } from '../lib/limits.ts';
import type { GradeBook } from './book.ts';
import { callerSources, type CallerSource } from './types.ts';

/** Path of feedback, on the admin server and on the gateway. */
export const feedbackPath = '/v1/feedback';

export interface FeedbackReply {
  readonly status: number;
  readonly body: object;
}

const thumbs = { up: 1, down: 0 } as const;

const feedback = z
  .strictObject({
    decision: z
      .string()
      .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i, 'the id of the x-sluice-decision header'),
    score: z.number().min(0).max(1).optional(),
    thumbs: z.enum(['up', 'down']).optional(),
    source: z.enum(callerSources).default('app'),
  })
  .refine(({ score, thumbs: said }) => (score === undefined) !== (said === undefined), 'say exactly one of score, thumbs');

/** Called for every submitted grade with its source (`none`: unreadable) and the result. */
export type FeedbackObserver = (source: CallerSource | 'none', result: 'accepted' | 'unknown' | 'invalid') => void;

/**
 * Takes one grade from a caller. `workspace`: the caller's, whose decisions alone it may grade; null for any. Only rejects if the ledger
 * fails.
 */
export async function takeFeedback(
  book: GradeBook,
  body: Buffer,
  workspace: string | null,
  observe: FeedbackObserver,
): Promise<FeedbackReply> {
  const parsed = parse(body);
  if (typeof parsed === 'string') {
    observe('none', 'invalid');
    return { status: 400, body: { error: { code: 'bad-feedback', message: parsed } } };
  }
  const { decision, source } = parsed;
  const id = decision.toLowerCase();
  const score = parsed.score ?? thumbs[parsed.thumbs ?? 'down'];
  const result = await book.grade(id, score, source, workspace);
  observe(source, result);
  if (result === 'accepted') return { status: 202, body: { decision: id, score, source, result } };
  return {
    status: 404,
    body: {
      error: {
        code: 'no-decision',
        message: 'No answer with this id can be graded: it is not known here, belongs to another workspace, or has not ended yet.',
      },
    },
  };
}

function parse(body: Buffer): z.infer<typeof feedback> | string {
  if (body.length > limits.feedbackBytes) return `Feedback is at most ${limits.feedbackBytes} bytes.`;
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return 'The body is no JSON.';
  }
  const read = feedback.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  return `${issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `}${issue?.message ?? 'unreadable'}. Send {"decision": ID, "score": 0..1 or "thumbs": "up"|"down", "source": "${callerSources.join('"|"')}"}.`;
}
