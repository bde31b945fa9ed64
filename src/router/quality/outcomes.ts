import { z } from 'zod';
import { SluiceError } from '../../lib/errors.ts';
import { parseLine, readMaybeGzip } from '../training/rows.ts';

const outcome = z.number().min(0).max(1);
const rowSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  prompt: z.string(),
  scores: z.record(z.string().max(256), outcome),
  output_chars: z.record(z.string().max(256), z.number().min(0)).optional(),
  output_tokens: z.record(z.string().max(256), z.number().min(0)).optional(),
  dataset: z.string().optional(),
  task: z.string().optional(),
  source: z.string().optional(),
  licence: z.string().optional(),
});

/** The outcomes of several models on one prompt. Scores 0..1. */
export interface OutcomeRow {
  readonly id: string;
  readonly prompt: string;
  /** The data set or the task; used as the template. */
  readonly kind: string;
  readonly source: string;
  readonly licence: string;
  readonly scores: ReadonlyMap<string, number>;
  /** Tokens of each answer; characters divided by four where the row counts characters. A model that is absent is unknown. */
  readonly outputTokens: ReadonlyMap<string, number>;
}

export interface OutcomeData {
  readonly rows: readonly OutcomeRow[];
  /** Models with a score in every row, in the first row's order. */
  readonly models: readonly string[];
  /** Hash of the bytes as read, hex. */
  readonly sha256: string;
}

const charactersPerToken = 4;

/** Reads rows with the outcomes of several models: JSON lines, plain or gzipped. Throws with file and line on the first invalid row. */
export async function readOutcomes(file: string): Promise<OutcomeData> {
  const { text, sha256 } = await readMaybeGzip(file);
  const rows: OutcomeRow[] = [];
  let at = 0;
  for (const line of text.split('\n')) {
    at++;
    if (line.trim() !== '') rows.push(outcomeRow(line, `${file}:${at}`));
  }
  const [first] = rows;
  if (first === undefined) throw new SluiceError('SLUICE_ROWS_INVALID', 'The file holds no row.', { where: file });
  return { rows, models: [...first.scores.keys()].filter((model) => rows.every(({ scores }) => scores.has(model))), sha256 };
}

/** Whether a file's first row has several models' scores, rather than a weak and a strong one's. */
export async function holdsOutcomes(file: string): Promise<boolean> {
  const { text } = await readMaybeGzip(file);
  const first = text.slice(0, Math.max(0, text.indexOf('\n')) || undefined);
  const row = parseLine(first, `${file}:1`);
  return typeof row === 'object' && row !== null && 'scores' in row && !('weak_score' in row);
}

function outcomeRow(line: string, where: string): OutcomeRow {
  const parsed = rowSchema.safeParse(parseLine(line, where));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new SluiceError('SLUICE_ROWS_INVALID', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}.`, { where });
  }
  const { id, prompt, scores, output_chars: characters = {}, output_tokens: tokens, dataset, task, source, licence } = parsed.data;
  const lengths =
    tokens ??
    Object.fromEntries(Object.entries(characters).map(([model, count]) => [model, Math.max(1, Math.round(count / charactersPerToken))]));
  return {
    id: id === undefined ? where : String(id),
    prompt,
    kind: dataset ?? task ?? source ?? '',
    source: source ?? dataset ?? 'unnamed',
    licence: licence ?? 'not stated',
    scores: new Map(Object.entries(scores)),
    outputTokens: new Map(Object.entries(lengths)),
  };
}
