import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../lib/errors.ts';
import { levels, textFields, textTasks, type TextField, type TextTask } from './heads.ts';
import type { TextRow } from './train.ts';

/** Letters of the tier in an entry's header, in the order of tiers; `-`: nobody said. */
const tierLetters = ['s', 'm', 'c'] as const;

/** A labelled prompt of a batch file. */
export interface LabelledPrompt extends TextRow {
  readonly task: TextTask;
  readonly fields: readonly TextField[];
  readonly level: number;
  /** Language tag: the folder that the batch is in. */
  readonly language: string;
  /** The line of its header. */
  readonly line: number;
}

/**
 * Reads a batch: entries of a header, `@ task|field[,field]|level|tier`, and the prompt's lines up to the next header. `SYSTEM:` begins a system prompt,
 * `USER:` on a line of its own ends it. Lines before the first header are a note. Throws SluiceError SLUICE_ROWS_INVALID, naming file and line.
 */
export function parseBatch(text: string, name: string, language: string): LabelledPrompt[] {
  const rows: LabelledPrompt[] = [];
  let header: { readonly labels: Pick<LabelledPrompt, 'task' | 'fields' | 'level' | 'tier'>; readonly line: number } | null = null;
  let lines: string[] = [];
  const close = (): void => {
    if (header === null) return;
    const { system, prompt } = splitSystem(lines.join('\n').trim());
    if (prompt === '') throw new SluiceError('SLUICE_ROWS_INVALID', 'this entry has no prompt.', { where: `${name}:${header.line}` });
    rows.push({ ...header.labels, prompt, system, language, group: name, weight: 1, line: header.line });
  };
  for (const [at, line] of text.split('\n').entries()) {
    if (line.startsWith('@ ')) {
      close();
      header = { labels: labelsOf(line.slice(2), `${name}:${at + 1}`), line: at + 1 };
      lines = [];
    } else lines.push(line);
  }
  close();
  return rows;
}

function labelsOf(header: string, where: string): Pick<LabelledPrompt, 'task' | 'fields' | 'level' | 'tier'> {
  const bad = (message: string): SluiceError => new SluiceError('SLUICE_ROWS_INVALID', message, { where, fix: 'A header is @ task|field[,field]|level|tier; data/prompts/README.md lists the labels.' });
  const [task = '', fieldList = '', level = '', tier = '', ...more] = header.split('|').map((part) => part.trim());
  const fields = fieldList.split(',').map((field) => field.trim());
  if (more.length > 0 || !(textTasks as readonly string[]).includes(task)) throw bad(`"${task}" is not a task.`);
  const unknown = fields.find((field) => !(textFields as readonly string[]).includes(field));
  if (unknown !== undefined) throw bad(`"${unknown}" is not a field.`);
  const number = Number(level);
  if (!Number.isInteger(number) || number < 1 || number > levels) throw bad(`"${level}" is not a level from 1 to ${levels}.`);
  const letter = (tierLetters as readonly string[]).indexOf(tier);
  if (letter === -1 && tier !== '-') throw bad(`"${tier}" is not a tier.`);
  return { task: task as TextTask, fields: fields as TextField[], level: number, tier: letter === -1 ? null : letter };
}

function splitSystem(text: string): { readonly system: string; readonly prompt: string } {
  const mark = text.startsWith('SYSTEM:') ? /\nUSER:[ \t]*\n?/.exec(text) : null;
  if (mark === null) return { system: '', prompt: text };
  return { system: text.slice('SYSTEM:'.length, mark.index).trim(), prompt: text.slice(mark.index + mark[0].length).trim() };
}

/** All batches of a folder with one folder a language, in the order of their names. */
export function readCorpus(folder: string): LabelledPrompt[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
    .flatMap((language) =>
      readdirSync(join(folder, language))
        .filter((file) => file.endsWith('.txt'))
        .sort()
        .flatMap((file) => parseBatch(readFileSync(join(folder, language, file), 'utf8'), `${language}/${file}`, language)),
    );
}
