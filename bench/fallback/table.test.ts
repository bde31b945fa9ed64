import { expect, it } from 'vitest';
import { caseTable, type Played } from './table.ts';

const all = (name: string, text: string, more: Partial<Played> = {}): Played[] =>
  [false, true].flatMap((stream) =>
    [false, true].map((crossing) => ({ name, stream, crossing, text: stream ? 'an error' : text, good: 3, calls: 3, ...more })),
  );

it('puts cases that end alike into one row', () => {
  expect(caseTable([...all('reset', 'the next answers'), ...all('timeout', 'the next answers'), ...all('422', 'an error')])).toContain(
    '| reset; timeout | the next answers | an error | 24 of 24 |\n| 422 | an error | an error | 12 of 12 |',
  );
});

it('shows a case with a wrong end by itself', () => {
  const table = caseTable([...all('reset', 'the next answers'), ...all('timeout', 'the next answers', { good: 2 })]);
  expect(table).toContain('| reset | the next answers | an error | 12 of 12 |\n| timeout | the next answers | an error | **8 of 12** |');
});

it('tells fallbacks of the same API from those of another where they differ, and marks what does not exist', () => {
  const played = all('cut', 'the next answers').filter(({ stream, crossing }) => !stream || !crossing);
  expect(caseTable(played)).toContain('| cut | the next answers | same API: an error; another API: – | 9 of 9 |');
});
