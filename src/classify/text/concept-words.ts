import { readdirSync, readFileSync } from 'node:fs';
import { Lexicon, type Concept } from '../lexicon.ts';
import { wordConcepts } from '../words.ts';
import { foldLetters } from './letters.ts';

/** Languages whose words are matched anywhere in a run of letters. */
const unspacedLanguages: ReadonlySet<string> = new Set(['zh', 'ja', 'ko']);

/** Concepts in the files of a folder, `concept<TAB>language<TAB>word, word, …` by line, files in the order of their names. */
export function readConcepts(folder: string): Concept[] {
  const found = new Map<string, { words: string[]; unspaced: string[] }>();
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith('.tsv')) continue;
    for (const line of readFileSync(`${folder}/${file}`, 'utf8').split('\n')) {
      const [name, language, entries] = line.split('\t');
      if (name === undefined || language === undefined || entries === undefined) continue;
      let concept = found.get(name);
      if (concept === undefined) found.set(name, (concept = { words: [], unspaced: [] }));
      const list = entries
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '');
      if (unspacedLanguages.has(language)) concept.unspaced.push(...list.map((entry) => entry.replace(/\*$/, '')));
      else concept.words.push(...list);
    }
  }
  return [...found].map(([name, words]) => ({ name, ...words }));
}

/** Words are compared with folded ones. Two that are the same then count once. */
export function foldConcept({ name, words, unspaced }: Concept): Concept {
  return { name, words: [...new Set(words.map(foldLetters))], unspaced: [...new Set(unspaced.map(foldLetters))] };
}

/** The text model's concepts, made of the words in a folder. Their order is part of the model. */
export function lexiconOf(folder: string): Lexicon {
  return new Lexicon([...wordConcepts, ...readConcepts(folder)].map(foldConcept));
}
