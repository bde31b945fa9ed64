import { gone, type Redactor } from './redact.ts';

/** Paths that are requested from a running server, by the name of the response in the bundle. */
export const asked = {
  checks: '/checks',
  policy: '/policy',
  generations: '/policy/generations',
  budgets: '/budgets',
  limits: '/limits',
  cache: '/cache',
  recent: '/recent',
  rollout: '/rollout',
  experiments: '/experiments',
  log: '/log',
  decisions: '/decisions?limit=50',
} as const;

/**
 * Unredacted parts of the bundle. `answers`: by name; an Error if a part could not be fetched. `logLines`: of the server's log, newest
 * last.
 */
export interface BundleParts {
  readonly version: string;
  readonly time: string;
  readonly answers: Readonly<Record<string, unknown>>;
  readonly metrics: string | Error;
  readonly logLines: readonly string[] | null;
}

/** The bundle as JSON text, redacted. */
export function bundleText({ version, time, answers, metrics, logLines }: BundleParts, redactor: Redactor): string {
  const bundle = {
    about: 'sluice support-bundle: no prompts, credentials or names of people; look it through before you send it',
    time,
    sluice: version,
    node: process.version,
    system: `${process.platform} ${process.arch}`,
    answers: Object.fromEntries(
      Object.entries(answers).map(([name, answer]) => [
        name,
        answer instanceof Error ? { error: redactor.text(answer.message) } : ofAnswer(name, answer, redactor),
      ]),
    ),
    metrics: metrics instanceof Error ? { error: redactor.text(metrics.message) } : redactor.metrics(metrics).split('\n'),
    ...(logLines === null ? {} : { log: logLines.map((line) => ofLine(line, redactor)) }),
  };
  return `${redactor.everywhere(JSON.stringify(bundle, null, 1))}\n`;
}

/** The policy's texts are parsed as YAML. */
function ofAnswer(name: string, answer: unknown, redactor: Redactor): unknown {
  if (name !== 'generations') return redactor.value(answer);
  const { files = [], ...rest } = answer as { readonly files?: readonly { readonly name: string; readonly text: string }[] };
  return {
    ...(redactor.value(rest) as object),
    files: files.map(({ name: file, text }) => ({ name: redactor.text(file), policy: redactor.policy(text) })),
  };
}

/** A line of the log: redacted in the same way as records; a line that is not JSON is replaced by the placeholder. */
function ofLine(line: string, redactor: Redactor): unknown {
  try {
    return redactor.value(JSON.parse(line));
  } catch {
    return gone;
  }
}
