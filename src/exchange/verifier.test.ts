import { expect, it } from 'vitest';
import { Verifier, type BothGrades } from './verifier.ts';
import type { AnswerView } from '../apis/common/answer-view.ts';

const said = (text: string): AnswerView => ({ text, toolArguments: [], refused: false, filtered: false, cutOff: false });
const prose = ['A long answer in words of its own, about a thing.', 'Other words that say the same of that very thing.'] as const;

function verifier(): { readonly verifier: Verifier; readonly grades: (readonly [string, BothGrades])[]; readonly results: string[] } {
  const grades: (readonly [string, BothGrades])[] = [];
  const results: string[] = [];
  return {
    grades,
    results,
    verifier: new Verifier({ onGrades: (decision, both) => grades.push([decision, both]), onResult: (result) => results.push(result) }),
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

it('grades two answers whichever comes first, and not before both are there', async () => {
  const { verifier: one, grades, results } = verifier();
  one.answered('a', 'served', said('18'), null);
  one.answered('b', 'stronger', said('yes'), null);
  await settled();
  expect(grades).toEqual([]);
  one.answered('a', 'stronger', said('17'), null);
  one.answered('b', 'served', said('Yes.'), null);
  // The decision's record is written after the second answer: no grade comes before that.
  expect(grades).toEqual([]);
  await settled();
  expect(grades).toEqual([
    ['a', { served: 0, stronger: 1 }],
    ['b', { served: 1, stronger: 1 }],
  ]);
  expect(results).toEqual(['agreement', 'agreement']);
});

it('asks a judge where agreement cannot be read off, and says so where there is none', async () => {
  const { verifier: one, grades, results } = verifier();
  one.answered('a', 'stronger', said(prose[0]), null);
  one.answered('a', 'served', said(prose[1]), (served, stronger, done) => {
    expect([served.text, stronger.text]).toEqual([prose[1], prose[0]]);
    done({ served: 0.7, stronger: 0.9 });
    return true;
  });
  for (const judge of [null, (): boolean => false]) {
    one.answered('b', 'stronger', said(prose[0]), null);
    one.answered('b', 'served', said(prose[1]), judge);
    await settled();
  }
  one.answered('c', 'served', said('18'), null);
  one.answered('c', 'stronger', null, null);
  await settled();
  expect(grades).toEqual([['a', { served: 0.7, stronger: 0.9 }]]);
  expect(results).toEqual(['judge', 'unclear', 'unclear', 'unreadable']);
});
