import { counted } from '../lib/counted.ts';
import type { Command } from 'commander';
import { SluiceError } from '../lib/errors.ts';
import type { LearningSummary } from '../router/online/state.ts';
import { askAdmin } from './ask-admin.ts';
import { alignColumns } from '../record/columns.ts';
import { shared } from './flags/shared.ts';
import { writeText } from './write-text.ts';

interface AdminFlags {
  readonly admin: string;
  readonly adminToken?: string;
}

/** `sluice learning inspect|export|freeze|thaw|reset`: calls a running server's admin address. */
export function registerLearning(program: Command): void {
  const learning = program
    .command('learning')
    .description('what a running server learnt from grades: look at it, keep it, stop it, forget it');
  learning
    .command('inspect')
    .description('by workspace, pair of models and template')
    .option(...shared.json)
    .option(...shared.admin)
    .action(async (flags: AdminFlags & { readonly json?: true }) => {
      const summary = (await askAdmin(flags.admin, '/learning')) as LearningSummary;
      process.stdout.write(flags.json === true ? `${JSON.stringify(summary)}\n` : render(summary));
    });
  learning
    .command('export')
    .description('all of it, as JSON')
    .option(...shared.out)
    .option(...shared.json)
    .option(...shared.admin)
    .action(async (flags: AdminFlags & { readonly out?: string }) => {
      const text = `${JSON.stringify(await askAdmin(flags.admin, '/learning/state'))}\n`;
      await writeText(flags.out ?? '-', text, 0o600);
    });
  registerFreeze(learning);
  registerReset(learning);
}

function registerFreeze(learning: Command): void {
  for (const [name, frozen, what] of [
    ['freeze', true, 'grades change nothing any more; what was learnt stays in use'],
    ['thaw', false, 'grades count again'],
  ] as const) {
    learning
      .command(name)
      .description(what)
      .option(...shared.admin)
      .option(...shared.adminToken)
      .option(...shared.json)
      .action(async (flags: AdminFlags & { readonly json?: true }) => {
        const answer = await askAdmin(flags.admin, '/learning/frozen', {
          query: new URLSearchParams({ frozen: String(frozen) }),
          order: { method: 'PUT', tokenFile: flags.adminToken },
        });
        process.stdout.write(flags.json === true ? `${JSON.stringify(answer)}\n` : frozen ? 'Frozen.\n' : 'Learning again.\n');
      });
  }
}

function registerReset(learning: Command): void {
  learning
    .command('reset')
    .description('forgets what was learnt, upgrades included')
    .option(...shared.ofWorkspace)
    .option('--all', 'of all')
    .option(...shared.admin)
    .option(...shared.adminToken)
    .option(...shared.json)
    .action(async (flags: AdminFlags & { readonly workspace?: string; readonly all?: true; readonly json?: true }) => {
      if ((flags.workspace === undefined) === (flags.all === undefined))
        throw new SluiceError('SLUICE_CLI_USAGE', 'say whose: one workspace, or all.', { where: '--workspace, --all' });
      const answer = await askAdmin(flags.admin, '/learning', {
        query: new URLSearchParams(flags.workspace === undefined ? { all: 'true' } : { workspace: flags.workspace }),
        order: { method: 'DELETE', tokenFile: flags.adminToken },
      });
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify(answer)}\n`
          : flags.workspace === undefined
            ? 'All is forgotten.\n'
            : `What was learnt of ${flags.workspace} is forgotten.\n`,
      );
    });
}

function render({ frozen, grades, compared, pairs, upgrades }: LearningSummary): string {
  const plusMinus = ({ mean, error }: { readonly mean: number; readonly error: number }): string =>
    `${mean.toFixed(3)} ± ${error.toFixed(3)}`;
  const lines = [`${counted(grades, 'grade')} learnt from${frozen ? '; frozen: no more are' : ''}`];
  for (const { workspace, pair, seen, threshold, level, newTemplate, templates } of pairs) {
    lines.push('', `${workspace}: ${pair.weak} for ${pair.strong}`);
    lines.push(
      `  threshold ${threshold === null ? 'none' : threshold.toFixed(3)} over ${counted(seen, 'request')}; the strong model scores ${level.toFixed(3)}; a new template gains ${plusMinus(newTemplate)} beyond the router`,
    );
    const rows = templates.map((one) => [
      one.template,
      String(one.grades),
      plusMinus(one.deviation),
      String(one.changes),
      one.lastGrade.slice(0, 19),
    ]);
    lines.push(
      ...alignColumns(['template', 'grades', 'beyond the router', 'changes', 'last grade'], rows, new Set([1, 3]))
        .split('\n')
        .map((line) => `  ${line}`),
    );
  }
  for (const { workspace, requested, seen, usdPerPoint, level, models } of compared) {
    lines.push('', `${workspace}: candidates for ${requested}`);
    lines.push(
      `  ${usdPerPoint === null ? 'no price of quality yet' : `a point of quality is worth $${usdPerPoint.toPrecision(3)}`} over ${counted(seen, 'request')}; the requested model scores ${level.toFixed(3)}`,
    );
    const rows = models.map(({ model, grades: count, beyondOutcomes }) => [model, String(count), plusMinus(beyondOutcomes)]);
    if (rows.length > 0)
      lines.push(
        ...alignColumns(['candidate', 'grades', 'falls short beyond what outcomes say'], rows, new Set([1]))
          .split('\n')
          .map((line) => `  ${line}`),
      );
  }
  lines.push('', `Upgrades in force: ${upgrades.length}`);
  for (const { workspace, template, near, until, decisionId } of upgrades.slice(0, 100)) {
    lines.push(
      `  ${workspace}: template ${template}, ${near === null ? 'all of it' : 'texts like the one'} of ${decisionId}, until ${new Date(until).toISOString().slice(0, 19)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
