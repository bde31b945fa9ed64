import { describe, expect, it } from 'vitest';
import { agreement } from './agreement.ts';
import type { AnswerView } from '../apis/common/answer-view.ts';

const said = (text: string, more: Partial<AnswerView> = {}): AnswerView => ({
  text,
  toolArguments: [],
  refused: false,
  filtered: false,
  cutOff: false,
  ...more,
});

describe('the agreement of two answers', () => {
  it.each([
    ['labels', 'Positive', ' positive. ', 1],
    ['other labels', 'positive', 'negative', 0],
    ['a number in other words', 'She sells 9 eggs, so the answer is $18.', '9 × 2 = 18\n#### 18', 1],
    ['a number with thousands', '1,250', 'The total is 1250.00', 1],
    ['another number', 'The answer is 17', 'The answer is 18', 0],
    ['a box and a fraction', 'so \\boxed{1/2}', 'Answer: 0.5', 1],
    ['a number of its own against a longer one', '12', '12.5', 0],
    ['a letter and its text', 'B', 'B. It rose by half', 1],
    ['a letter that is said last', 'A is wrong, so the answer is (C).', 'C', 1],
    ['other letters', 'The correct answer is **B**', 'D)', 0],
    ['JSON in another order, with other blanks', '{"a": 1, "b": "Oslo"}', '```json\n{"b":"oslo ","a":1.0}\n```', 1],
    ['JSON with one of two fields right', '{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 0.5],
    ['JSON with a field more', '{"a": 1, "b": 2}', '{"a": 1}', 0.5],
    ['empty lists', '[]', '[]', 1],
  ])('reads %s', (_name, one, other, score) => {
    expect([agreement(said(one), said(other)), agreement(said(other), said(one))]).toEqual([score, score]);
  });

  it.each([
    ['prose', said('A CDN keeps copies of files near those who read them.'), said('It is a network of servers that caches content.')],
    ['an answer that was cut off', said('18', { cutOff: true }), said('18')],
    ['a refusal', said('no', { refused: true }), said('no')],
    ['arguments that came as an object', said('', { toolArguments: [null] }), said('', { toolArguments: [null] })],
    [
      'numbers that are nobody’s answer',
      said('It opened in 1990 and has 3 floors, which many people like.'),
      said('Built 1991, it has 4 floors and a garden.'),
    ],
  ])('has no opinion on %s', (_name, one, other) => {
    expect(agreement(one, other)).toBeNull();
  });

  it('holds tool calls beside each other, and a call beside none', () => {
    const call = (text: string): AnswerView => said('', { toolArguments: [text] });
    expect(agreement(call('{"city":"Oslo","days":2}'), call('{"days":2,"city":"oslo"}'))).toBe(1);
    expect(agreement(call('{"city":"Oslo"}'), call('{"city":"Rome"}'))).toBe(0);
    expect(agreement(call('{"city":"Oslo"}'), said('I cannot.'))).toBe(0);
  });
});
