import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Lexicon, type Concept } from '../lexicon.ts';
import { wordConcepts } from '../words.ts';

/** Files of `concept<TAB>language<TAB>word, word, …`, sorted by name. */
const folder = fileURLToPath(new URL('./concepts/', import.meta.url));

/** Languages whose words are matched anywhere in a run of letters. */
const unspacedLanguages: ReadonlySet<string> = new Set(['zh', 'ja', 'ko']);

function conceptsOf(folder: string): Concept[] {
  const found = new Map<string, { words: string[]; unspaced: string[] }>();
  for (const file of readdirSync(folder).sort()) {
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

/** The text model's concepts. Their order is part of the model. */
export const concepts = new Lexicon([...wordConcepts, ...conceptsOf(folder)]);
