import { once } from 'node:events';
import type { Command } from 'commander';
import { z } from 'zod';
import { linesOfFile } from '../lib/lines.ts';
import { defaultModelFile, readModel } from '../router/model/file.ts';
import { SluiceError } from '../lib/errors.ts';
import { parseLine } from '../router/training/rows.ts';
import { shared } from './flags/shared.ts';

interface ScoreFlags {
  readonly model?: string;
  readonly explain?: boolean;
}

const rowSchema = z.object({ id: z.union([z.string(), z.number()]).optional(), prompt: z.string() });

/**
 * `sluice score [FILE]`: reads JSON lines with `prompt` (and `id`; default: the line's number) from a file, plain or `.gz`, or from stdin,
 * and writes one line `{"id","gain","uncertainty","abstain"}` each, in order. Stops at the first invalid row, with exit 1.
 */
export function registerScore(program: Command): void {
  program
    .command('score')
    .argument('[file]', 'JSON lines with prompt and id; - or nothing: stdin', '-')
    .description('say what the stronger model would gain on each prompt (gain: higher = the stronger model is needed more)')
    .option(...shared.model)
    .option('--explain', 'also the features that moved the score, and the share of known words')
    .option(...shared.json)
    .action(scoreCommand);
}

async function scoreCommand(file: string, flags: ScoreFlags): Promise<void> {
  const model = await readModel(flags.model ?? defaultModelFile);
  const where = file === '-' ? 'stdin' : file;
  let at = 0;
  for await (const line of linesOfFile(file)) {
    at++;
    if (line.trim() === '') continue;
    const parsed = rowSchema.safeParse(parseLine(line, `${where}:${at}`));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new SluiceError('SLUICE_ROWS_INVALID', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}.`, {
        where: `${where}:${at}`,
      });
    }
    const { id, prompt } = parsed.data;
    const { gain, uncertainty, abstain, familiarity } = model.predict(prompt);
    const answer = {
      id: id ?? at,
      gain: rounded(gain),
      uncertainty: rounded(uncertainty),
      abstain,
      ...(flags.explain === true
        ? {
            familiarity: rounded(familiarity),
            influences: model.influences(prompt, 8).map(({ name, share }) => ({ name, share: rounded(share) })),
          }
        : {}),
    };
    if (!process.stdout.write(`${JSON.stringify(answer)}\n`)) await once(process.stdout, 'drain');
  }
}

/** Six decimals: enough to keep the order, short enough to read. */
function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
