import type { Command } from 'commander';
import type { ComparedBy, MetricFigures } from '../experiments/comparison.ts';
import type { RolloutStatus } from '../experiments/rollout.ts';
import type { ExperimentStatus } from '../experiments/trials.ts';
import { askAdmin, type AdminQuestion } from './ask-admin.ts';
import { alignColumns } from '../record/columns.ts';
import { shared } from './flags/shared.ts';

interface Flags {
  readonly admin: string;
  readonly json?: boolean;
  readonly adminToken?: string;
}

const jsonOption = ['--json', 'print JSON'] as const;

async function showRollout(flags: Flags, method: 'GET' | 'POST', path: string): Promise<void> {
  const status = (await askAdmin(flags.admin, path, question(flags, method))) as RolloutStatus;
  process.stdout.write(flags.json === true ? `${JSON.stringify(status, null, 2)}\n` : rolloutText(status));
}

/** `sluice rollout`: how far a running server has come with a new policy. */
export function registerRollout(program: Command): void {
  const rollout = program.command('rollout').description('how far a new policy has come');
  rollout
    .command('status', { isDefault: true })
    .description('the policies in force, rolling out, and kept')
    .option(...shared.admin)
    .option(...jsonOption)
    .action((flags: Flags) => showRollout(flags, 'GET', '/rollout'));
  rollout
    .command('promote')
    .description('gives all requests to the new policy, whatever the tests say')
    .option(...shared.admin)
    .option(...shared.adminToken)
    .option(...jsonOption)
    .action((flags: Flags) => showRollout(flags, 'POST', '/rollout/promote'));
}

/** `sluice rollback`: a running server goes back to the policy before. */
export function registerRollback(program: Command): void {
  program
    .command('rollback')
    .description('takes the policy that rolls out back, or brings back the one before, at once')
    .option(...shared.admin)
    .option(...shared.adminToken)
    .option(...jsonOption)
    .action((flags: Flags) => showRollout(flags, 'POST', '/rollout/rollback'));
}

/** `sluice experiments`: queries and controls the experiments of a running server. */
export function registerExperiments(program: Command): void {
  const experiments = program.command('experiments').description('A/B and shadow experiments: what they show');
  const showExperiments = async (flags: Flags, method: 'GET' | 'POST', path: string): Promise<void> => {
    const { experiments: found } = (await askAdmin(flags.admin, path, question(flags, method))) as {
      readonly experiments: readonly ExperimentStatus[];
    };
    process.stdout.write(flags.json === true ? `${JSON.stringify(found, null, 2)}\n` : experimentsText(found));
  };
  experiments
    .command('list', { isDefault: true })
    .description('all experiments of the policy in force')
    .option(...shared.admin)
    .option(...jsonOption)
    .action((flags: Flags) => showExperiments(flags, 'GET', '/experiments'));
  for (const verb of ['stop', 'start'] as const) {
    experiments
      .command(verb)
      .argument('<name>', 'an experiment, or * for all')
      .description(verb === 'stop' ? 'ends its treatment at once' : 'lets it go on; one that was found to do harm starts again')
      .option(...shared.admin)
      .option(...shared.adminToken)
      .option(...jsonOption)
      .action((name: string, flags: Flags) => showExperiments(flags, 'POST', `/experiments/${encodeURIComponent(name)}/${verb}`));
  }
}

function question({ adminToken }: Flags, method: 'GET' | 'POST'): AdminQuestion {
  return method === 'GET'
    ? {}
    : { order: { method, tokenFile: adminToken }, refusal: (status) => (status === 404 || status === 409 ? 'SLUICE_TRIALS' : undefined) };
}

function rolloutText({ stable, candidate, kept, rolledBack }: RolloutStatus): string {
  const lines = [`in force     ${stable}`];
  if (candidate !== null) {
    lines.push(
      `rolling out  ${candidate.policy}, ${percent(candidate.share)} of the requests (stage ${candidate.stage} of ${candidate.stages.length}) since ${candidate.since}, ${candidate.answers} answers in it`,
    );
    lines.push('', ...figureLines(candidate.figures, 'old', 'new'), '');
  }
  if (kept !== null) lines.push(`kept         ${kept.policy} until ${kept.until}`);
  for (const policy of rolledBack) lines.push(`rolled back  ${policy}`);
  return `${lines.join('\n')}\n`;
}

function experimentsText(experiments: readonly ExperimentStatus[]): string {
  if (experiments.length === 0) return 'The policy in force has no experiments.\n';
  return experiments
    .map(
      ({ name, kind, share, state, figures }) =>
        `${[`${name}: ${kind}, ${percent(share)}, ${state}`, ...figureLines(figures, 'control', 'treatment')].join('\n')}\n`,
    )
    .join('\n');
}

function figureLines(figures: Readonly<Record<ComparedBy, MetricFigures>>, control: string, treatment: string): string[] {
  const number = (mean: number | null): string => (mean === null ? '–' : Number(mean.toPrecision(4)).toString());
  const rows = Object.entries(figures).map(([name, { control: a, treatment: b, evidence, threshold, harm }]) => [
    units[name as ComparedBy],
    number(a.mean),
    String(a.observations),
    number(b.mean),
    String(b.observations),
    harm ? 'HARM' : `${Math.round((100 * Math.max(0, Math.log(Math.max(1, evidence)))) / Math.log(threshold))}%`,
  ]);
  return alignColumns(['', control, 'of', treatment, 'of', 'towards an alarm'], rows, new Set([1, 2, 3, 4, 5])).split('\n');
}

const units: Readonly<Record<ComparedBy, string>> = {
  quality: 'grade',
  checks: 'checks passed',
  errors: 'answered well',
  cost: 'dollars',
  latency: 'ms',
};

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))}%`;
}
