import { gone, type Redactor } from './redact.ts';

/** Where a running server is asked, and under which name the answer stands in the bundle. */
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

/** What the bundle is made of, as it came. `answers`: by name; what could not be had is an Error. `logLines`: of the server's log, the newest last. */
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

/** The policy's texts are read as the YAML that they are. */
function ofAnswer(name: string, answer: unknown, redactor: Redactor): unknown {
  if (name !== 'generations') return redactor.value(answer);
  const { files = [], ...rest } = answer as { readonly files?: readonly { readonly name: string; readonly text: string }[] };
  return {
    ...(redactor.value(rest) as object),
    files: files.map(({ name: file, text }) => ({ name: redactor.text(file), policy: redactor.policy(text) })),
  };
}

/** A line of the log: exchanges as records are redacted; what is no JSON is left out. */
function ofLine(line: string, redactor: Redactor): unknown {
  try {
    return redactor.value(JSON.parse(line));
  } catch {
    return gone;
  }
}
