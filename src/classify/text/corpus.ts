import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../lib/errors.ts';
import { levels, textFields, textTasks, type TextField, type TextTask } from './heads.ts';
import type { TextRow } from './example.ts';

/** Letters of the tier in an entry's header, in the order of tiers; `-` if unlabelled. */
const tierLetters = ['s', 'm', 'c'] as const;

/** A labelled prompt of a batch file. */
export interface LabelledPrompt extends TextRow {
  readonly task: TextTask;
  readonly fields: readonly TextField[];
  readonly level: number;
  /** Language tag: the name of the batch's folder. */
  readonly language: string;
  /** The line number of its header. */
  readonly line: number;
}

/**
 * Reads a batch: entries of a header, `@ task|field[,field]|level|tier`, and the prompt's lines up to the next header. `SYSTEM:` begins a
 * system prompt, `USER:` on a line of its own ends it. Lines before the first header are a note. Throws SluiceError SLUICE_ROWS_INVALID,
 * naming file and line.
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
  const bad = (message: string): SluiceError =>
    new SluiceError('SLUICE_ROWS_INVALID', message, {
      where,
      fix: 'A header is @ task|field[,field]|level|tier; data/prompts/README.md lists the labels.',
    });
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

/** All batches of a folder that has one folder per language, sorted by name. */
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

/** The labels of a second annotator who did not see the first labels. */
export type SecondLabels = Pick<LabelledPrompt, 'task' | 'fields' | 'level' | 'tier'>;

/** Names a prompt in the file of second labels: the first 12 hexadecimal digits of the SHA-256 of system prompt and prompt. */
export function promptKey({ system, prompt }: Pick<LabelledPrompt, 'system' | 'prompt'>): string {
  return createHash('sha256').update(`${system}\n${prompt}`).digest('hex').slice(0, 12);
}

/**
 * Second labels by `promptKey`; lines are `key task|field[,field]|level|tier`. Empty if the folder has none. Throws SluiceError
 * SLUICE_ROWS_INVALID, naming the line.
 */
export function readSecond(folder: string): ReadonlyMap<string, SecondLabels> {
  const file = join(folder, secondFile);
  if (!existsSync(file)) return new Map();
  const lines = readFileSync(file, 'utf8').split('\n');
  return new Map(
    lines.flatMap((line, at) =>
      line === '' || line.startsWith('#') ? [] : [[line.slice(0, 12), labelsOf(line.slice(13), `${secondFile}:${at + 1}`)] as const],
    ),
  );
}

const secondFile = 'second.txt';

/** Weight of each label set when a prompt has two. */
const eachOpinion = 0.6;

/**
 * Training rows: a prompt with two label sets trains tasks, fields and tiers with both, at about half the weight each, and its level is
 * their mean. `at` is the index in `prompts` of each row's prompt.
 */
export function withOpinions(
  prompts: readonly LabelledPrompt[],
  second: ReadonlyMap<string, SecondLabels>,
): { readonly rows: TextRow[]; readonly at: number[] } {
  const rows: TextRow[] = [];
  const at: number[] = [];
  for (const [place, prompt] of prompts.entries()) {
    const other = second.get(promptKey(prompt));
    if (other === undefined) rows.push(prompt);
    else
      rows.push(
        { ...prompt, weight: eachOpinion, level: (prompt.level + other.level) / 2 },
        { ...prompt, ...other, weight: eachOpinion, level: null },
      );
    while (at.length < rows.length) at.push(place);
  }
  return { rows, at };
}
