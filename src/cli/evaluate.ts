import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { defaultModelFile, readModel } from '../router/model/file.ts';
import { SluiceError } from '../lib/errors.ts';
import { withFileLater } from '../lib/read-file.ts';
import { atLoss } from '../router/training/metrics.ts';
import { report, type ReportRow } from '../router/training/report.ts';
import { reportHtml } from '../router/training/report-html.ts';
import { reportText } from '../router/training/report-text.ts';
import { parseLine, readLabelled, type LabelledRow } from '../router/training/rows.ts';
import { shared } from './flags/shared.ts';
import { scoreRows } from './train.ts';
import { writeText } from './write-text.ts';
import { fileOf } from './stdin.ts';

interface EvaluateFlags {
  readonly model?: string;
  readonly scores?: string;
  readonly threshold?: string;
  readonly thresholdFrom?: string;
  readonly loss: string;
  readonly html?: string;
  readonly json?: boolean;
}

const scoreSchema = z.object({ id: z.union([z.string(), z.number()]), gain: z.number(), abstain: z.boolean().optional() });

/** `sluice evaluate LABELS`: the report for a model, or for scores from any other source, on labelled rows. Exit 0, 1 or 2 as elsewhere. */
export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .argument('<labels>', 'labelled rows: JSON lines with id, prompt, weak_score, strong_score; plain or gzipped; - for stdin')
    .description('how well a model, or a file of scores, routes labelled rows')
    .option(...shared.model)
    .option('--scores <file>', 'scores instead of a model: JSON lines with id and gain, as `sluice score` writes them; - for stdin')
    .option('--threshold <gain>', 'also say what this threshold does')
    .option('--threshold-from <labels>', 'take the threshold that these rows would take for --loss with the same model; - for stdin')
    .option('--loss <share>', 'loss for --threshold-from', '0.02')
    .option(...shared.html)
    .option(...shared.json)
    .action(evaluateCommand);
}

async function evaluateCommand(file: string, flags: EvaluateFlags): Promise<void> {
  if (flags.scores !== undefined && flags.model !== undefined)
    throw new SluiceError('SLUICE_CLI_USAGE', 'give a model or scores, not both.', { where: '--scores' });
  if (flags.thresholdFrom !== undefined && (flags.scores !== undefined || flags.threshold !== undefined)) {
    throw new SluiceError('SLUICE_CLI_USAGE', 'it needs a model, and stands instead of --threshold.', { where: '--threshold-from' });
  }
  const labels = await readLabelled(fileOf(file));
  const rows =
    flags.scores === undefined
      ? scoreRows(await readModel(flags.model ?? defaultModelFile), labels.rows)
      : await joined(labels.rows, flags.scores);
  const made = report(file, rows, await thresholdOf(flags));
  if (flags.html !== undefined)
    await writeText(flags.html, reportHtml(`Evaluation of ${flags.scores ?? flags.model ?? 'the default model'}`, [made], null));
  process.stdout.write(flags.json === true ? `${JSON.stringify(made)}\n` : reportText(made));
}

async function thresholdOf(flags: EvaluateFlags): Promise<number | null> {
  if (flags.threshold !== undefined) return number(flags.threshold, '--threshold');
  if (flags.thresholdFrom === undefined) return null;
  const loss = number(flags.loss, '--loss');
  const rows = scoreRows(await readModel(flags.model ?? defaultModelFile), (await readLabelled(fileOf(flags.thresholdFrom))).rows);
  return atLoss(rows, loss).threshold;
}

function number(text: string, flag: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new SluiceError('SLUICE_CLI_USAGE', `a number is wanted, not ${text}.`, { where: flag });
  return value;
}

/** Labelled rows joined with the scores by id. Throws if a row has no score. */
async function joined(rows: readonly LabelledRow[], file: string): Promise<ReportRow[]> {
  const text = await withFileLater(file, () => readFile(fileOf(file), 'utf8'));
  const scores = new Map<string, { gain: number; abstain: boolean }>();
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const parsed = scoreSchema.safeParse(parseLine(line, `${file}:${at + 1}`));
    if (!parsed.success) throw new SluiceError('SLUICE_ROWS_INVALID', 'A score line has an id and a gain.', { where: `${file}:${at + 1}` });
    scores.set(String(parsed.data.id), { gain: parsed.data.gain, abstain: parsed.data.abstain ?? false });
  }
  return rows.map(({ id, prompt, weak, strong, source }) => {
    const score = scores.get(id);
    if (score === undefined) throw new SluiceError('SLUICE_ROWS_INVALID', `There is no score for the row ${id}.`, { where: file });
    return { prompt, weak, strong, source, score: score.gain, abstain: score.abstain };
  });
}
