import { share } from './learned.ts';
import type { GradingDocument, VerifyDocument } from './schema.ts';
import type { GradingPolicy, Provider, TargetRef, VerifyPolicy } from './types.ts';

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
            share: share(judge.share),
            maxUsdPerDay: judge.maxUsdPerDay,
            timeoutMs: Math.round((judge.seconds ?? judgeSeconds) * 1_000),
          },
  };
}

/** Fills in defaults; null if nothing is verified. */
export function compileVerify(document: VerifyDocument | undefined): VerifyPolicy | null {
  return document === undefined ? null : { share: share(document.share), maxUsdPerDay: document.maxUsdPerDay ?? verifyUsd };
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
