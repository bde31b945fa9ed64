import { expect, it } from 'vitest';
import { foldLetters, foldUnits } from './letters.ts';

it.each([
  ['não é possível', 'nao e possivel'],
  ['zażółć gęślą jaźń', 'zazolc gesla jazn'],
  ['çalışma için ığdır', 'calisma icin igdir'],
  ['İstanbul'.toLowerCase(), 'istanbul'],
  ['e\u0301te\u0301', 'ete'],
  ['việt nam', 'viet nam'],
  ['تَرْجِمْ إلى الإنجليزيّة', 'ترجم الي الانجليزيه'],
  ['ещё', 'еще'],
  ['क़लम पढ़ो हूँ', 'कलम पढो हूं'],
  ['straße æther 日本語 한국어 plain', 'straße æther 日本語 한국어 plain'],
])('%s is the same word as %s', (typed, folded) => {
  expect(foldLetters(typed)).toBe(folded);
  expect(foldLetters(folded)).toBe(folded);
});

it('folds in place, and says how long the text is then', () => {
  const units = Uint16Array.of(0x61, 0x301, 0x62, 0x3f);
  expect(foldUnits(units, 3)).toBe(2);
  expect(String.fromCharCode(...units.subarray(0, 2))).toBe('ab');
});
