import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tokensOf } from '../lexicon.ts';
import { concepts } from './concepts.ts';
import { lexiconOf, readConcepts } from './concept-words.ts';
import { conceptsFile, decodeLexicon, encodeLexicon } from './concepts-file.ts';
import { foldLetters } from './letters.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'data', 'concepts');

/** Names of the concepts that a text names. */
function named(text: string): string[] {
  const hits = new Uint8Array(concepts.names.length);
  const tokens = tokensOf(foldLetters(text.toLowerCase()));
  concepts.countTokens(tokens, hits);
  for (const token of tokens) concepts.countUnspaced(token, hits);
  return concepts.names.filter((_, at) => hits[at]! > 0);
}

describe('the words of concepts', () => {
  it('are in the file that ships as they are in data/concepts (npm run build)', () => {
    expect(readFileSync(conceptsFile).equals(encodeLexicon(lexiconOf(folder).save()))).toBe(true);
  });

  it('stand once in a list, in lists that the README names, for languages that it names', () => {
    const seen = new Set<string>();
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.tsv')))
      for (const line of readFileSync(join(folder, file), 'utf8').trimEnd().split('\n')) {
        expect(line).toMatch(/^[a-z_]+\t[a-z]{2}\t\S/);
        seen.add(line.split('\t')[1]!);
      }
    expect([...seen].sort().join(' ')).toBe('ar de en es fr hi id it ja ko nl pl pt ru tr uk vi zh');
    expect(readConcepts(folder)).toHaveLength(32);
  });

  it.each([
    ['kopfschmerzen seit gestern', 'medical_word'],
    ['meu fígado dói', 'medical_word'],
    ['मेरे मकान मालिक ने नोटिस दिया', 'legal_word'],
    ['расторжение договора аренды', 'legal_word'],
    ['住宅ローンの金利', 'finance_word'],
    ['streść mi to', 'summarise'],
  ])('name what %s is about', (text, concept) => {
    expect(named(text)).toContain(concept);
  });

  it('are refused if the file is not whole', () => {
    const bytes = readFileSync(conceptsFile);
    for (const damaged of [bytes.subarray(0, 10), bytes.subarray(0, 1_000), bytes.subarray(0, -1), Buffer.from('other')])
      expect(() => decodeLexicon(damaged, 'a file')).toThrow('This is not a table of words of this version.');
  });
});
