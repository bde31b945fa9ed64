import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { languageOf } from './language.ts';
import { readCorpus } from './text/corpus.ts';
import { TextWords } from './text/scan.ts';

const words = new TextWords();
const language = (text: string): string => languageOf(text, words.read(text).words);

describe('the language of a prompt', () => {
  it('is found for most labelled prompts of every language, and English is rarely taken for another', () => {
    const rows = readCorpus(fileURLToPath(new URL('../../data/prompts', import.meta.url)));
    const share = (of: string): number => {
      const own = rows.filter((row) => row.language === of);
      return own.filter(({ prompt }) => language(prompt) === of).length / own.length;
    };
    const found = Object.fromEntries([...new Set(rows.map((row) => row.language))].map((of) => [of, share(of)]));
    expect(Object.entries(found).filter(([, right]) => right < 0.8)).toEqual([]);
    expect(found['en']).toBeGreaterThan(0.95);
  });

  it.each([
    ['it', 'Quanto tempo devo cuocere gli spaghetti?'],
    ['pt', 'Qual é a capital da Austrália?'],
    ['tr', 'Bu cümleyi düzeltir misin'],
    ['pl', 'Jak napisać list do urzędu?'],
    ['es', '¿Dónde está la biblioteca?'],
    ['ja', 'この文を直して'],
    ['vi', 'Viết một hàm Python đảo ngược chuỗi'],
    ['fr', 'Écris une lettre à ma propriétaire'],
    ['hi', 'mera phone hang ho raha hai, kya karu'],
    ['vi', 'viet ho minh mot email xin nghi phep'],
    ['vi', 'tom tat doan nay giup toi'],
    ['id', 'tolong buatkan surat lamaran kerja untuk saya'],
    ['nl', 'Schrijf een brief aan mijn huisbaas'],
    ['uk', 'Поясни, як працює інфляція'],
    ['ru', 'Объясни, как работает инфляция'],
    ['und', 'Falcon KPI Q3'],
  ])('is %s for %s', (tag, text) => {
    expect(language(text)).toBe(tag);
  });
});
