import { counted } from '../lib/counted.ts';
import { appendFile, rename, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { classifyRequest } from '../classify/index.ts';
import { domains, taskTypes, tiers, type Verdict } from '../classify/types.ts';
import { SluiceError, unwritable } from '../lib/errors.ts';
import { readTextLater } from '../lib/read-file.ts';
import { linesOf, linesOfFile } from '../lib/lines.ts';
import { meantLabel } from '../policy/labels.ts';
import { nearest } from '../policy/nearest.ts';
import { printable } from '../record/printable.ts';
import { parseLine } from '../router/training/rows.ts';
import { exchangeOf, rowOf, type PromptRow } from './prompt-rows.ts';
import { writeText } from './write-text.ts';

/** The labels that a person gives a prompt. */
export interface Labels {
  readonly tier: string;
  readonly task: string;
  readonly domain: string;
}

/** A parsed answer: labels, a command, or an error. */
export type LabelAnswer =
  | { readonly kind: 'labels'; readonly labels: Labels }
  | { readonly kind: 'back' | 'skip' | 'quit' }
  | { readonly kind: 'unclear'; readonly message: string };

interface Item {
  readonly id: string | number;
  readonly row: PromptRow;
  readonly system: string;
  readonly prompt: string;
  readonly verdict: Verdict;
}

/** How much of a prompt is shown at its beginning and at its end, in UTF-16 units. */
const shownStart = 1_500;
const shownEnd = 500;
const shownSystem = 300;

const help = `Answer with up to three words: tier, task, domain, or their beginnings. 1, 2, 3 are the tiers; a dot keeps what is shown.
Enter accepts all; b goes back; - leaves this one for later; q ends, and the next run goes on from there.
  tiers    ${tiers.join(', ')}
  tasks    ${taskTypes.join(', ')}
  domains  ${domains.join(', ')}
`;

/**
 * `sluice label FILE [--out FILE]`: shows the prompts of a file one at a time with the classifier's verdict, reads their labels from stdin,
 * and writes rows with `expected_tier`, `task` and `domain` that `sluice classify --check` reads. Rows whose id is already in the output
 * are skipped.
 */
export function registerLabel(program: Command): void {
  program
    .command('label')
    .argument('<file>', 'JSON lines with prompt, whole requests, or records that keep the beginning of the prompt; plain or .gz')
    .description('label prompts one at a time, for sluice classify --check')
    .option('--out <file>', "where the labelled rows go, and where an earlier run's are; FILE.labelled.jsonl by default")
    .action(labelCommand);
}

async function labelCommand(file: string, { out = `${file}.labelled.jsonl` }: { readonly out?: string }): Promise<void> {
  if (file === '-') throw new SluiceError('SLUICE_CLI_USAGE', 'stdin is for the answers.', { where: 'FILE', fix: 'Name a file.' });
  const { items, without } = await readItems(file);
  const labelled = await LabelledFile.open(out);
  const say = (text: string): void => void process.stdout.write(text);
  if (without > 0)
    say(`${counted(without, 'record')} without their prompt (prompts: { capture: truncate } in the policy keeps it): left out.\n`);
  if (items.every(({ id }) => labelled.has(id))) say(`Nothing is left: ${counted(items.length, 'prompt')} labelled in ${out}.\n`);
  else {
    say(help);
    const answers = linesOf(process.stdin);
    await askAll(items, labelled, { next: async () => lineOf(await answers.next()), say });
    process.stdin.destroy();
  }
  say(summaryOf(items, labelled, out));
}

const lineOf = (step: IteratorResult<string, unknown>): string | null => (step.done === true ? null : step.value);

/** Where questions are written, and where answers are read from; null at the end of input. */
interface Desk {
  next(): Promise<string | null>;
  say(text: string): void;
}

async function askAll(items: readonly Item[], labelled: LabelledFile, desk: Desk): Promise<void> {
  for (let at = items.findIndex(({ id }) => !labelled.has(id)); at < items.length;) {
    const item = items[at]!;
    const { verdict } = item;
    const shown = labelled.labelsOf(item.id) ?? { tier: verdict.tier, task: verdict.task, domain: verdict.domain };
    desk.say(questionOf(item, shown, `${at + 1} of ${items.length}`));
    const line = await desk.next();
    if (line === null) return;
    const answer = readAnswer(line, shown);
    if (answer.kind === 'quit') return;
    if (answer.kind === 'unclear') desk.say(`${answer.message}\n`);
    else if (answer.kind === 'back') at = Math.max(0, at - 1);
    else {
      if (answer.kind === 'labels') await labelled.put(item, answer.labels);
      at++;
      // Rows labelled in an earlier run are shown again only if the user goes back to them.
      while (at < items.length && labelled.has(items[at]!.id)) at++;
    }
  }
}

/** Parses an answer: words in the order tier, task, domain; each in full, abbreviated, or a dot to accept the shown value. */
export function readAnswer(line: string, shown: Labels): LabelAnswer {
  const words = line
    .trim()
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  const [first = ''] = words;
  if (words.length === 1) {
    if (first === 'b' || first === 'back') return { kind: 'back' };
    if (first === '-' || first === 'skip') return { kind: 'skip' };
    if (first === 'q' || first === 'quit') return { kind: 'quit' };
    if (first === '?' || first === 'help') return { kind: 'unclear', message: help };
  }
  if (words.length > 3) return { kind: 'unclear', message: 'Three words at most: tier, task, domain.' };
  const found = { ...shown };
  for (const [at, { name, known }] of lists.entries()) {
    const word = words[at] ?? '.';
    if (word === '.') continue;
    const label = name === 'tier' && /^[123]$/.test(word) ? tiers[Number(word) - 1]! : labelOf(word, known);
    if (label === null) return { kind: 'unclear', message: unknownLabel(word, name, known) };
    found[name] = label;
  }
  return { kind: 'labels', labels: found };
}

const lists: readonly { readonly name: keyof Labels; readonly known: readonly string[] }[] = [
  { name: 'tier', known: tiers },
  { name: 'task', known: taskTypes },
  { name: 'domain', known: domains },
];

function labelOf(word: string, known: readonly string[]): string | null {
  if (known.includes(word)) return word;
  const begun = known.filter((label) => label.startsWith(word));
  return begun.length === 1 ? begun[0]! : null;
}

function unknownLabel(word: string, name: string, known: readonly string[]): string {
  const begun = known.filter((label) => label.startsWith(word));
  const meant = begun.length > 0 ? begun : [meantLabel(word, known) ?? nearest(word, known, 1)[0]].filter((label) => label !== undefined);
  return `"${printable(word)}" is no ${name}. ${meant.length > 0 ? `Did you mean ${meant.join(' or ')}?` : `Known: ${known.join(', ')}.`}`;
}

function questionOf({ id, prompt, system, verdict }: Item, { tier, task, domain }: Labels, place: string): string {
  const cut =
    prompt.length > shownStart + shownEnd
      ? `${prompt.slice(0, shownStart)}\n[${prompt.length - shownStart - shownEnd} characters left out]\n${prompt.slice(-shownEnd)}`
      : prompt;
  const lines = (text: string): string =>
    text
      .split('\n')
      .map((line) => `  ${printable(line)}\n`)
      .join('');
  const under = system === '' ? '' : `  [system] ${printable(system.slice(0, shownSystem).replace(/\s+/g, ' '))}\n`;
  return `\n--- ${place}, id ${printable(String(id))}\n${under}${lines(cut)}score ${verdict.score.toFixed(2)}, confidence ${verdict.confidence.toFixed(2)}\n${tier} ${task} ${domain} > `;
}

function summaryOf(items: readonly Item[], labelled: LabelledFile, out: string): string {
  const done = items.flatMap(({ id, verdict }) => {
    const labels = labelled.labelsOf(id);
    return labels === null ? [] : [{ verdict, labels }];
  });
  const same = (name: keyof Labels): number => done.filter(({ verdict, labels }) => verdict[name] === labels[name]).length;
  const agreed =
    done.length === 0 ? '' : ` The classifier agrees on ${same('tier')} tiers, ${same('task')} tasks and ${same('domain')} domains.`;
  return `\n${done.length} of ${counted(items.length, 'prompt')} labelled in ${out}.${agreed}\n`;
}

/** Rows of a file with the classifier's verdicts; `without`: records that keep no prompt. */
async function readItems(file: string): Promise<{ readonly items: readonly Item[]; readonly without: number }> {
  const items: Item[] = [];
  const ids = new Set<string>();
  let without = 0;
  let at = 0;
  for await (const line of linesOfFile(file)) {
    at++;
    if (line.trim() === '') continue;
    const where = `${file}:${at}`;
    const plain = promptOfRecord(line, where);
    if (plain === null) {
      without++;
      continue;
    }
    if (plain === '') continue;
    const row = rowOf(plain, where, false);
    const exchange = exchangeOf(row, where);
    const id = row.id ?? at;
    if (ids.has(String(id)))
      throw new SluiceError('SLUICE_ROWS_INVALID', `the id ${String(id)} stands here a second time.`, {
        where,
        fix: 'Give each row its own id, or none: then it is the number of the line.',
      });
    ids.add(String(id));
    items.push({ id, row, system: exchange.system, prompt: exchange.lastUser, verdict: classifyRequest(exchange) });
  }
  if (items.length === 0) throw new SluiceError('SLUICE_ROWS_INVALID', 'no row has a prompt.', { where: file });
  return { items, without };
}

/** Keys that mark a row as a prompt or request rather than a line of a log. */
const promptKeys = ['prompt', 'messages', 'input', 'contents', 'request', 'body'] as const;

/**
 * Converts a record, from `/decisions` or from a line of the log, to a row with its prompt. Null if it keeps no prompt; '' for another line
 * of the log. Other rows are returned unchanged.
 */
function promptOfRecord(line: string, where: string): string | null {
  const value: unknown = parseLine(line, where);
  if (typeof value !== 'object' || value === null) return line;
  const { msg, record } = value as { readonly msg?: unknown; readonly record?: unknown };
  const logged = typeof msg === 'string' && !promptKeys.some((key) => key in value);
  if (logged && (typeof record !== 'object' || record === null)) return '';
  const { id, request } = (logged ? record : value) as {
    readonly id?: unknown;
    readonly request?: { readonly promptStart?: unknown } | null;
  };
  if (typeof request !== 'object' || request === null || !('promptHash' in request)) return line;
  return typeof request.promptStart === 'string' ? JSON.stringify({ id, prompt: request.promptStart }) : null;
}

/** The output file: each label is written to disk before the next prompt is shown. */
class LabelledFile {
  readonly #file: string;
  readonly #rows: Map<string, string>;
  readonly #labels = new Map<string, Labels>();
  /** The last line has no line break, for example after editing in another program. */
  #open = false;

  private constructor(file: string, rows: Map<string, string>) {
    this.#file = file;
    this.#rows = rows;
  }

  /** Reads the output of an earlier run. Throws SLUICE_FILE_UNREADABLE or SLUICE_ROWS_INVALID. */
  static async open(file: string): Promise<LabelledFile> {
    const found = new LabelledFile(file, new Map());
    if (!(await exists(file))) return found;
    const text = await readTextLater(file);
    found.#open = text !== '' && !text.endsWith('\n');
    for (const [at, line] of text.split('\n').entries()) {
      if (line.trim() === '') continue;
      const { id, expected_tier: tier, task, domain } = rowOf(line, `${file}:${at + 1}`, true);
      if (id === undefined || tier === undefined || task === undefined || domain === undefined)
        throw new SluiceError('SLUICE_ROWS_INVALID', 'this row was not written by sluice label.', {
          where: `${file}:${at + 1}`,
          fix: 'Name another file with --out.',
        });
      found.#rows.set(String(id), line);
      found.#labels.set(String(id), { tier, task, domain });
    }
    return found;
  }

  has(id: string | number): boolean {
    return this.#rows.has(String(id));
  }

  labelsOf(id: string | number): Labels | null {
    return this.#labels.get(String(id)) ?? null;
  }

  /** Writes a row with its labels, replacing an earlier one. Throws SLUICE_FILE_UNWRITABLE. */
  async put({ id, row }: Item, labels: Labels): Promise<void> {
    const line = JSON.stringify({ ...row, id, expected_tier: labels.tier, task: labels.task, domain: labels.domain });
    const again = this.has(id) || this.#open;
    this.#open = false;
    this.#rows.set(String(id), line);
    this.#labels.set(String(id), labels);
    try {
      if (!again) return await appendFile(this.#file, `${line}\n`, { mode: 0o600 });
      await writeText(`${this.#file}.new`, `${[...this.#rows.values()].join('\n')}\n`, 0o600);
      await rename(`${this.#file}.new`, this.#file);
    } catch (error) {
      throw error instanceof SluiceError ? error : unwritable(this.#file, error);
    }
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
