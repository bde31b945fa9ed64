import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { SluiceError } from '../../lib/errors.ts';
import { readBytesLater, withFile } from '../../lib/read-file.ts';

const outcome = z.number().min(0).max(1);
const rowSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  prompt: z.string(),
  weak_score: outcome,
  strong_score: outcome,
  group: z.union([z.string(), z.number()]).optional(),
  task: z.string().optional(),
  category: z.string().optional(),
  source: z.string().optional(),
  licence: z.string().optional(),
  weak_model: z.string().optional(),
  strong_model: z.string().optional(),
});

/** The outcomes of two models on one prompt. Scores 0..1. */
export interface LabelledRow {
  readonly id: string;
  readonly prompt: string;
  readonly weak: number;
  readonly strong: number;
  /** Rows of one group are always on the same side of a split. */
  readonly group: string;
  readonly task: string | null;
  /** Kind of work, wider than a task. */
  readonly category: string | null;
  readonly source: string;
  readonly licence: string;
  readonly weakModel: string;
  readonly strongModel: string;
}

export interface LabelledData {
  readonly rows: readonly LabelledRow[];
  /** Hash of the bytes as read, hex. */
  readonly sha256: string;
}

/** Reads labelled rows: JSON lines, plain or gzipped. Throws with file and line on the first row that does not fit. */
export async function readLabelled(file: string): Promise<LabelledData> {
  const { text, sha256 } = await readMaybeGzip(file);
  return { rows: labelledRows(text, file), sha256 };
}

/** Parses labelled rows, one per line. `file`: name used in errors. Throws like readLabelled. */
export function labelledRows(text: string, file: string): LabelledRow[] {
  const rows: LabelledRow[] = [];
  let at = 0;
  for (const line of text.split('\n')) {
    at++;
    if (line.trim() === '') continue;
    rows.push(labelledRow(line, `${file}:${at}`));
  }
  if (rows.length === 0) throw new SluiceError('SLUICE_ROWS_INVALID', 'The file holds no row.', { where: file });
  return rows;
}

function labelledRow(line: string, where: string): LabelledRow {
  const parsed = rowSchema.safeParse(parseLine(line, where));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new SluiceError('SLUICE_ROWS_INVALID', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}.`, { where });
  }
  const row = parsed.data;
  return {
    id: row.id === undefined ? where : String(row.id),
    prompt: row.prompt,
    weak: row.weak_score,
    strong: row.strong_score,
    // Without a group, identical prompts at least stay on one side.
    group: row.group === undefined ? createHash('sha256').update(row.prompt).digest('hex').slice(0, 16) : String(row.group),
    task: row.task ?? null,
    category: row.category ?? null,
    source: row.source ?? 'unnamed',
    licence: row.licence ?? 'not stated',
    weakModel: row.weak_model ?? 'weak',
    strongModel: row.strong_model ?? 'strong',
  };
}

/** Parses one line as JSON. Throws SLUICE_ROWS_INVALID with its position. */
export function parseLine(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new SluiceError('SLUICE_ROWS_INVALID', `This line is not JSON: ${error instanceof Error ? error.message : String(error)}.`, {
      where,
      cause: error,
    });
  }
}

/** A file as text, gunzipped if gzipped, and the SHA-256 of its bytes. Throws SLUICE_FILE_UNREADABLE. */
export async function readMaybeGzip(file: string): Promise<{ readonly text: string; readonly sha256: string }> {
  const bytes = await readBytesLater(file);
  return withFile(file, () => {
    const gzipped = bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
    return { text: (gzipped ? gunzipSync(bytes) : bytes).toString('utf8'), sha256: createHash('sha256').update(bytes).digest('hex') };
  });
}
