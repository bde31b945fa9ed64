import { isRun } from '../classify/text/word-lists.ts';
import { counted } from '../lib/counted.ts';
import { limits } from '../lib/limits.ts';
import { placeOf, readExampleFile } from './example-file.ts';
import type { ClassifierDocument } from './options/classifier.ts';
import { taughtTemplateId } from './taught-templates.ts';
import type { PolicyFile, Problem } from './types.ts';

/** Reports a mistake at a path under `classifier`. */
type Say = (code: string, path: readonly PropertyKey[], message: string, fix: string) => void;

/**
 * Reports lessons that do nothing or contradict another one. `file`: the file of examples that `classifier.file` names, null if there is
 * none of that name; `add` takes the problems of its lines.
 */
export function checkTeaching(document: ClassifierDocument, file: PolicyFile | null, say: Say, add: (problem: Problem) => void): void {
  if (document.file !== undefined && file === null)
    say(
      'no-file',
      ['file'],
      `there is no file ${document.file} beside this one`,
      'Put it into the same folder, or the same ConfigMap, under that name; a policy from a URL lists its examples itself.',
    );
  checkExamples(document, file, say, add);
  checkWords(document.words ?? [], say);
  checkTemplates(document.templates ?? [], say);
}

function checkExamples(
  { examples = [], file: named }: ClassifierDocument,
  file: PolicyFile | null,
  say: Say,
  add: (problem: Problem) => void,
): void {
  const prompts = new Map<string, string>();
  const names = new Set<string>();
  const check = (
    { name, prompt }: { readonly name?: string | undefined; readonly prompt: string },
    shown: string,
    report: (key: 'prompt' | 'name', message: string, fix: string) => void,
  ): void => {
    const text = prompt.trim().toLowerCase();
    const earlier = prompts.get(text);
    if (earlier !== undefined) report('prompt', `example ${earlier} has the same prompt`, 'Keep one of them, with all its labels.');
    else prompts.set(text, shown);
    if (names.has(name ?? shown)) report('name', `there is another example called ${name ?? shown}`, 'Give each its own name.');
    names.add(name ?? shown);
  };
  for (const [at, example] of examples.entries())
    check(example, String(at + 1), (key, message, fix) => {
      say('twice', ['examples', at, ...(key === 'name' && example.name === undefined ? [] : [key])], message, fix);
    });
  if (file === null) return;
  const { examples: filed, problems } = readExampleFile(file);
  for (const problem of problems) add(problem);
  for (const example of filed)
    check(example, `line-${example.line}`, (path, message, fix) => {
      add({ level: 'error', code: 'twice', file: file.name, ...placeOf(file, example.line), path, message, fix });
    });
  const all = examples.length + filed.length;
  if (all > limits.classifierExamples)
    say(
      'range',
      ['file'],
      `${named} has ${counted(filed.length, 'example')}, with those listed here ${all}; a section takes ${limits.classifierExamples}`,
      'Keep those that change a verdict: `sluice classify --policy` shows which do.',
    );
}

/** A list's words must be read as they are written: signs are no part of a word, and one word cannot have two meanings. */
function checkWords(lists: NonNullable<ClassifierDocument['words']>, say: Say): void {
  const names = new Set<string>();
  const seen = new Map<string, string>();
  for (const [at, { name, words }] of lists.entries()) {
    if (names.has(name)) say('twice', ['words', at, 'name'], `there is another list of words called ${name}`, 'Give each its own name.');
    names.add(name);
    for (const [place, word] of words.entries()) {
      const path = ['words', at, 'words', place];
      const fault = wordFault(word);
      if (fault !== null) say('word', path, ...fault);
      const lower = word.toLowerCase();
      const other = seen.get(lower);
      if (other !== undefined)
        say(
          'twice',
          path,
          `${other === name ? 'this list' : `the list ${other}`} has ${JSON.stringify(word)} too`,
          'Keep it in one of them.',
        );
      else seen.set(lower, name);
    }
  }
}

function wordFault(word: string): [message: string, fix: string] | null {
  const stem = word.endsWith('*') ? word.slice(0, -1) : word;
  const quoted = JSON.stringify(word);
  if (!/[\p{L}\p{N}]/u.test(stem)) return [`${quoted} has no letter and no digit, so it is never found`, 'Write a word or a phrase.'];
  if (isRun(stem))
    return Array.from(word).every(isRun)
      ? null
      : [
          `${quoted} has spaces, signs or other letters between characters, so it is never found`,
          'Write Chinese, Japanese and Korean words alone and without spaces.',
        ];
  const sign = /[^\p{L}\p{M}\p{N}\s_'’./-]/u.exec(stem)?.[0];
  if (sign !== undefined)
    return [`${quoted} is read without ${sign}, so it would also mean other words`, 'Write a word or a phrase of letters and digits.'];
  const last = stem.match(/[\p{L}\p{M}\p{N}_]+/gu)?.at(-1) ?? '';
  if (word !== stem && last.length < 3) return [`${quoted} would match too many words`, 'Write at least three letters before the *.'];
  if (/^[a-z]$/i.test(word)) return [`${quoted} would match too many questions`, 'Write a longer word or a phrase.'];
  return null;
}

function checkTemplates(templates: NonNullable<ClassifierDocument['templates']>, say: Say): void {
  const names = new Set<string>();
  const ids = new Map<string, string>();
  for (const [at, template] of templates.entries()) {
    const { name } = template;
    if (names.has(name)) say('twice', ['templates', at, 'name'], `there is another template called ${name}`, 'Give each its own name.');
    names.add(name);
    const id = taughtTemplateId(template);
    const other = ids.get(id);
    if (other !== undefined)
      say('twice', ['templates', at], `template ${other} is the same: names, numbers and dates do not count`, 'Keep one of them.');
    else ids.set(id, name);
  }
}
