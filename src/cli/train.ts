import { createHash } from 'node:crypto';
import { counted } from '../lib/counted.ts';
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { decodeModel, writeModel } from '../router/model/file.ts';
import { SluiceError } from '../lib/errors.ts';
import { classicSettings, gainSettings, type ModelKind } from '../router/training/fit.ts';
import { report, type Report, type ReportRow } from '../router/training/report.ts';
import { reportHtml } from '../router/training/report-html.ts';
import { reportText } from '../router/training/report-text.ts';
import { ledgerRows } from '../router/training/ledger-rows.ts';
import { labelledRows, readLabelled, type LabelledData, type LabelledRow } from '../router/training/rows.ts';
import { openCheckpoint } from '../router/training/checkpoint.ts';
import { train } from '../router/training/train.ts';
import { parseWindow } from '../ledger/query.ts';
import { withRows } from './open-ledger.ts';
import { writeText } from './write-text.ts';
import type { RouterModel } from '../router/model/model.ts';
import { shared } from './flags/shared.ts';
import type { Scored } from '../router/training/metrics.ts';
import { fileOf } from './stdin.ts';

interface TrainFlags {
  readonly fromLedger?: string | true;
  readonly window?: string;
  readonly rows?: string;
  readonly out: string;
  readonly kind: ModelKind;
  readonly seed: string;
  readonly folds: string;
  readonly name?: string;
  readonly test?: string;
  readonly html?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

/**
 * `sluice train DATA.jsonl[.gz]`: trains a router model from labelled rows. Progress on stderr, the report on stdout. Exit 0, 1 if the data
 * cannot be read or learnt from, 2 for wrong usage.
 */
export function registerTrain(program: Command): void {
  program
    .command('train')
    .argument('[data]', 'labelled rows: JSON lines with prompt, weak_score, strong_score; plain or gzipped; - for stdin')
    .description('train a router that predicts what the stronger model gains')
    .option(
      '--from-ledger [place]',
      'make the rows from answers that the ledger has two grades of: verified ones, and those of shadow experiments (default: $SLUICE_LEDGER, or where serve keeps it)',
    )
    .option('--window <time>', 'with --from-ledger: how far back: 24h, 30d (default: all)')
    .option('--rows <file>', 'with --from-ledger: write the rows here')
    .option('--out <file>', 'where the model goes', 'router.model')
    .addOption(
      new Option(
        '--kind <kind>',
        'gain: words and trees on the gain; classic: TF-IDF 1-2-grams and logistic regression on "the weak model is right"',
      )
        .choices(['gain', 'classic'])
        .default('gain'),
    )
    .option('--seed <number>', 'the same seed and rows give the same file', '1')
    .option('--folds <number>', 'folds of the cross-validation by group', '5')
    .option('--name <name>', 'name on the model card (default: the output file)')
    .option('--test <file>', 'more labelled rows, which the model never sees, to report on; - for stdin')
    .option(...shared.html)
    .option('--quiet', 'no progress')
    .option(...shared.json)
    .action(trainCommand);
}

async function trainCommand(named: string | undefined, flags: TrainFlags): Promise<void> {
  const seed = whole(flags.seed, '--seed', 0, 1_000_000);
  const folds = whole(flags.folds, '--folds', 2, 20);
  const { data, file } = await trainingRows(named, flags);
  if (data.rows.length < 50 || new Set(data.rows.map(({ group }) => group)).size < folds) {
    throw new SluiceError(
      'SLUICE_ROWS_INVALID',
      `${counted(data.rows.length, 'row')}: too few to learn from. 50 rows of ${folds} groups at least.`,
      { where: file },
    );
  }
  const test = flags.test === undefined ? null : await readLabelled(fileOf(flags.test));
  const started = Date.now();
  const settings = { ...(flags.kind === 'classic' ? classicSettings : gainSettings), seed };
  const checkpoint = openCheckpoint(`${flags.out}.checkpoint`, JSON.stringify({ rows: data.sha256, settings, folds, version }));
  const trained = train(data, {
    settings,
    checkpoint,
    name: flags.name ?? flags.out,
    trainedWith: `sluice ${version}, --kind ${flags.kind} --seed ${seed} --folds ${folds}`,
    folds,
    progress: (message) => {
      if (flags.quiet !== true) process.stderr.write(`[${((Date.now() - started) / 1000).toFixed(1)} s] ${message}\n`);
    },
  });
  await writeModel(flags.out, trained.bytes);
  checkpoint.remove();
  const reports = [report('Other questions of the same tasks (cross-validation by group)', rowsOf(data.rows, trained.home), null)];
  if (trained.away !== null)
    reports.push(report('Tasks that were left out (cross-validation by task)', rowsOf(data.rows, trained.away), null));
  if (trained.newSources !== null)
    reports.push(report('Sources that were left out (cross-validation by source)', rowsOf(data.rows, trained.newSources), null));
  if (test !== null) reports.push(testReport(decodeModel(trained.bytes, flags.out), test.rows, flags.kind));
  if (flags.html !== undefined)
    await writeText(flags.html, reportHtml(`Router model ${trained.header.card.name}`, reports, trained.header.card));
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ file: flags.out, bytes: trained.bytes.length, reports })}\n`);
  else process.stdout.write(`${reports.map(reportText).join('\n')}\n${flags.out}: ${trained.bytes.length} bytes\n`);
}

/** The training rows, and their name in messages. Throws SluiceError. */
async function trainingRows(file: string | undefined, flags: TrainFlags): Promise<{ readonly data: LabelledData; readonly file: string }> {
  const { fromLedger, window, rows: out } = flags;
  if ((file === undefined) === (fromLedger === undefined))
    throw new SluiceError('SLUICE_CLI_USAGE', 'name a file of rows, or --from-ledger: one of the two.', { where: 'train' });
  if (file !== undefined) {
    if (window !== undefined || out !== undefined)
      throw new SluiceError('SLUICE_CLI_USAGE', 'this is for --from-ledger.', { where: window === undefined ? '--rows' : '--window' });
    return { data: await readLabelled(fileOf(file)), file };
  }
  const from = window === undefined ? 0 : Date.now() - parseWindow(window);
  const { rows, leftOut } = await withRows(fromLedger === true ? undefined : fromLedger, from, (db) => ledgerRows(db, from));
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  if (out !== undefined) await writeText(out, text, 0o600);
  process.stderr.write(
    `${counted(rows.length, 'row')} from the ledger. Left out: ${leftOut.ungraded} with one grade alone, ${leftOut.prompt} whose prompt was not kept whole (prompts: { capture: truncate, units: 4096 }), ${leftOut.unlike} with tools, images or earlier turns.\n`,
  );
  if (rows.length === 0) throw new SluiceError('SLUICE_ROWS_INVALID', 'The ledger makes no row.', { where: '--from-ledger' });
  return { data: { rows: labelledRows(text, 'ledger'), sha256: createHash('sha256').update(text).digest('hex') }, file: 'the ledger' };
}

function testReport(model: RouterModel, rows: readonly LabelledRow[], kind: ModelKind): Report {
  const scored = scoreRows(model, rows);
  // The classic router sends a prompt to the weak model if its chance of being right is 75% or more.
  return report('Test rows', scored, kind === 'classic' ? classicThreshold(model) : null);
}

/** The gain at which the classic model's chance of failing is 0.25. */
function classicThreshold(model: RouterModel): number {
  const { raw, home } = model.header.calibration;
  const at = raw.findIndex((score) => score >= 0.25);
  if (at <= 0) return at === 0 ? home[0]! : home.at(-1)!;
  const share = (0.25 - raw[at - 1]!) / (raw[at]! - raw[at - 1]!);
  return home[at - 1]! * (1 - share) + home[at]! * share;
}

/** Labelled rows with a model's predictions. */
export function scoreRows(model: RouterModel, rows: readonly LabelledRow[]): ReportRow[] {
  return rows.map(({ prompt, weak, strong, source }) => {
    const { gain, abstain } = model.predict(prompt);
    return { prompt, weak, strong, source, score: gain, abstain };
  });
}

function rowsOf(rows: readonly LabelledRow[], scored: readonly Scored[]): ReportRow[] {
  return rows.map(({ prompt, source, weak, strong }, at) => ({ prompt, source, weak, strong, score: scored[at]!.score, abstain: false }));
}

/** Parses a flag as an integer within bounds. Throws SLUICE_CLI_USAGE. */
export function whole(text: string, flag: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new SluiceError('SLUICE_CLI_USAGE', `a whole number from ${least} to ${most} is wanted, not ${text}.`, { where: flag });
  return value;
}
