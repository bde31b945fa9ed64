import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SemanticMatch } from '../types.ts';
import { canonicalQuestion } from './canonical.ts';
import { runs } from '../../../test/support/fuzz.ts';

function same(a: string, b: string, match: SemanticMatch = 'strict'): boolean {
  const canonical = canonicalQuestion(a, match);
  return canonical !== null && canonical === canonicalQuestion(b, match);
}

describe('questions that ask the same', () => {
  it.each([
    ['What is a CDN?', 'what is a CDN'],
    ['What’s the capital of France?', 'What is the capital of France'],
    ['How can I learn French quickly?', 'How do I learn French fast?'],
    ['How to delete my account', 'How do I delete an account?'],
    ['What are the best movies?', 'What are the best film?'],
    ['Which colour is the sky?', 'What color is the sky'],
    ['Hi, what is a CDN?', 'What is a CDN?'],
    ['Could you please tell me what a CDN is?', 'what a CDN is'],
    ['Can you explain the theory of relativity?', 'Explain the theory of relativity.'],
    ['Where can I buy tickets?', 'Where do I buy tickets'],
    ['What is the difference between a virus and a bacterium?', 'What is the difference between a bacterium and a virus?'],
    ['What should I do if I lose my key?', 'What do I do if I lose my key?'],
    ['What is C# for?', 'what is c# for'],
    ['What is the dress code in the office?', 'What is the dress code at the office?'],
  ])('%s | %s', (a, b) => expect(same(a, b)).toBe(true));

  it('may name another person only where the policy lets it', () => {
    expect(same('How do you become a dentist?', 'How do I become a dentist?')).toBe(false);
    expect(same('How do you become a dentist?', 'How do I become a dentist?', 'wide')).toBe(true);
    expect(same('What are the characteristics of limestone?', 'What is the characteristic of limestone?')).toBe(false);
    expect(same('What are the characteristics of limestone?', 'What is the characteristic of limestone?', 'wide')).toBe(true);
  });
});

describe('questions that do not', () => {
  const pairs: readonly (readonly [string, string, string])[] = [
    ['numbers', 'What is 17 plus 5?', 'What is 17 plus 6?'],
    ['numbers', 'Is 1.5 more than one?', 'Is 15 more than one?'],
    ['numbers', 'What happened on 1/2/2020?', 'What happened on 12/2020?'],
    ['number words', 'Who has two legs?', 'Who has 3 legs?'],
    ['signs', 'Is -5 smaller than 3?', 'Is 5% smaller than 3?'],
    ['currencies', 'What can I buy for $100?', 'What can I buy for €100?'],
    ['names', 'Who is the mayor of Oslo?', 'Who is the mayor of Bergen?'],
    ['names and plurals', 'How do I install Windows?', 'How do I install a window?'],
    ['names and plurals', 'Who was Steve Jobs?', 'Who was Steve Job?'],
    ['abbreviations', 'What does IT do?', 'What does it do?'],
    ['abbreviations', 'What does the US want?', 'What does us want?'],
    ['letters', 'What is vitamin A?', 'What is a vitamin?'],
    ['negation', 'Why is Tokyo the centre of the world?', 'Why is Tokyo not the centre of the world?'],
    ['negation', 'Should I take it with food?', 'Should I take it without food?'],
    ['negation', "Why can't I sleep?", 'Why can I sleep?'],
    ['direction', 'How is Messi better than Ronaldo?', 'How is Ronaldo better than Messi?'],
    ['direction', 'How do I fly from Rome to Oslo?', 'How do I fly from Oslo to Rome?'],
    ['time', 'How is the speed of light measured?', 'How was the speed of light measured?'],
    ['who asks', 'What is my name?', 'What is a name?'],
    ['who asks', 'What do you like?', 'What do I like?'],
    ['kind of question', 'Can I learn the guitar?', 'How can I learn the guitar?'],
    ['kind of question', 'When did the war begin?', 'Where did the war begin?'],
    ['quotations', 'What is the meaning of "cats"?', 'What is the meaning of "cat"?'],
    ['quotations', 'What does ‘Run’ mean?', 'What does ‘run’ mean?'],
    ['quotations', "What does 'IS' mean here?", "What does 'is' mean here?"],
    ['symbols', 'What is the name of the ~ symbol?', 'What is the name of the ✢ symbol?'],
    ['symbols', 'What is C++?', 'What is C?'],
    ['symbols', 'What is C#?', 'What is C?'],
    ['operands', 'What is the difference between A and B and C?', 'What is the difference between A and C and D?'],
  ];
  it.each(pairs)('%s: %s | %s', (_what, a, b) => {
    for (const match of ['strict', 'wide'] as const) expect(same(a, b, match)).toBe(false);
  });
});

describe('a text that is not compared', () => {
  it.each([
    ['an order with a text', 'Translate to French: the cats sleep'],
    ['a question about words', 'How many letters are in the word strawberry?'],
    ['another language', 'Was machen Sie?'],
    ['several lines', 'What is this?\nfoo'],
    ['code', 'What does `a.b()` do?'],
    ['markup', 'What is <b>?'],
    ['a formula', 'What is 2*3?'],
    ['a document', `What is ${'x '.repeat(300)}?`],
    ['nothing', '  '],
    ['punctuation', '?!'],
  ])('%s', (_what, text) => expect(canonicalQuestion(text, 'wide')).toBeNull());
});

describe('the form', () => {
  it('keeps all digits, does not see spaces around the text, and takes any text', () => {
    const word = fc.constantFrom('how', 'can', 'i', 'to', 'the', 'a', 'cats', 'Windows', '17', '"x y"', 'IT', 'not', 'in', 'please', 'my', 'are', 'what', "don't", 'vitamin', '“z', ',');
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')), fc.array(word, { maxLength: 12 }).map((words) => `what ${words.join(' ')}`));
    fc.assert(
      fc.property(text, fc.constantFrom<SemanticMatch>('strict', 'wide'), (value, match) => {
        const canonical = canonicalQuestion(value, match);
        if (canonical === null) return;
        const digits = (of: string): string => of.replace(/\D/g, '');
        if (!/\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand)\b/i.test(value)) expect(digits(canonical)).toBe(digits(value.normalize('NFC')));
        expect(canonicalQuestion(` ${value} `, match)).toBe(canonical);
      }),
      runs(200),
    );
  });
});
