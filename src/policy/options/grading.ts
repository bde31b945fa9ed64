import { z } from 'zod';
import type { GradingPolicy, Provider, TargetRef, VerifyPolicy } from '../types.ts';
import { onOff, share, shareOf } from './values.ts';

const grading = z.strictObject({
  checks: onOff.optional().describe('Whether answers are looked into: JSON, schema, tool arguments, emptiness'),
  regenerate: onOff.optional().describe('Whether asking the same question of the same conversation again counts as a low grade'),
  judge: z
    .strictObject({
      model: z.string().min(3).max(256).describe('provider/model; the provider speaks the OpenAI API and has a credentialFile'),
      share: share.describe('Share of the answers that it gets'),
      maxUsdPerDay: z.number().positive().max(10_000).describe('US dollars a day (UTC) of one replica; beyond it nothing is judged'),
      seconds: z.number().positive().max(600).optional().describe('Longest time for one opinion; 60 by default'),
    })
    .optional()
    .describe('A model that grades some answers, beside the traffic; absent: none'),
});

const verify = z.strictObject({
  share: share.describe('Share of the requests that a cheaper model answers'),
  by: z.literal('stronger').optional().describe('Who answers beside it: stronger is the requested model (the default)'),
  maxUsdPerDay: z
    .number()
    .positive()
    .max(10_000)
    .optional()
    .describe('US dollars a day (UTC) of one replica for these answers; 5 by default'),
});

export type GradingDocument = z.infer<typeof grading>;
export type VerifyDocument = z.infer<typeof verify>;

export const gradingOption = grading.optional().describe('Grades from checks, repeated questions and a judge; see docs/feedback.md');

export const verifyOption = verify
  .optional()
  .describe('Some answers of cheaper models are compared with the requested model’s; see docs/learning.md');

/** Default timeout for one judge call, in seconds. */
const judgeSeconds = 60;
/** Default US dollars per day for the answers of stronger models. */
const verifyUsd = 5;

export type SayProblem = (code: string, path: readonly PropertyKey[], message: string, fix: string) => void;

/** Fills in defaults. Null if nothing is graded. Reports problems of the judge. */
export function compileGrading(
  document: GradingDocument | undefined,
  providers: ReadonlyMap<string, Provider>,
  say: SayProblem,
): GradingPolicy | null {
  if (document === undefined) return null;
  const { judge } = document;
  const target = judge === undefined ? null : judgeTarget(judge.model, providers, say);
  return {
    checks: document.checks === 'on',
    regenerate: document.regenerate === 'on',
    judge:
      judge === undefined || target === null
        ? null
        : {
            target,
            share: shareOf(judge.share),
            maxUsdPerDay: judge.maxUsdPerDay,
            timeoutMs: Math.round((judge.seconds ?? judgeSeconds) * 1_000),
          },
  };
}

/** Fills in defaults; null if nothing is verified. */
export function compileVerify(document: VerifyDocument | undefined): VerifyPolicy | null {
  return document === undefined ? null : { share: shareOf(document.share), maxUsdPerDay: document.maxUsdPerDay ?? verifyUsd };
}

function judgeTarget(text: string, providers: ReadonlyMap<string, Provider>, say: SayProblem): TargetRef | null {
  const slash = text.indexOf('/');
  const provider = slash === -1 ? undefined : providers.get(text.slice(0, slash));
  const path = ['judge', 'model'];
  if (provider === undefined) {
    say('unknown-provider', path, `${text} names no provider of this policy`, 'Write provider/model, e.g. openai/gpt-5-mini.');
    return null;
  }
  if (provider.family !== 'openai') {
    say(
      'dialect',
      path,
      `${provider.name} speaks the ${provider.family} API; a judge is asked through OpenAI chat completions`,
      'Name a provider whose dialect is openai.',
    );
    return null;
  }
  if (provider.credential === null) {
    say('no-credential', path, `the gateway has no key for ${provider.name}`, `Set providers.${provider.name}.credentialFile.`);
    return null;
  }
  return { provider: provider.name, model: text.slice(slash + 1) };
}
