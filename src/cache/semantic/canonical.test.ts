import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SemanticMatch } from '../../policy/options/cache.ts';
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
    ['Which laptop is best under 30k?', 'What are the best laptops under 30,000?'],
    ['What are some of the best books to learn Rust?', 'Which is the best book for learning Rust?'],
    ['Which is the best laptop for gaming under 900 dollars?', 'What is the best laptop under $900 for gaming?'],
    ['What should I do to build up my stamina?', 'How can one build up stamina?'],
    ['How I can recieve payments?', 'How can I receive a payment?'],
    ['Why the Moon is so bright?', 'Why is the moon bright?'],
    ['What does it feel like to be a baker?', 'What is it like being a baker?'],
    ['How long does it take for a person to digest corn?', 'How long does it take to digest corn?'],
    ['Who do you think will win the cup?', 'Who will win the cup?'],
    ["What is the name of the manager's wife?", 'What is the name of the manager wife?'],
    ['How do I set up HTTP in nginx?', 'how to set up http in Nginx?'],
  ])('%s | %s', (a, b) => expect(same(a, b)).toBe(true));

  it.each([
    [
      'How do I learn juggling?',
      'What is the best way to learn juggling?',
      'How do I learn juggling with four clubs at home?',
      'What is the best way to learn juggling with four clubs at home?',
    ],
    [
      'What is the benefit of rust?',
      'What are the benefits of rust?',
      'What is the benefit of rust on an old iron bridge?',
      'What are the benefits of rust on an old iron bridge?',
    ],
    [
      'What is the best film?',
      'What is the best film in the world?',
      'What is the best film about trains, dogs and snow?',
      'What is the best film about trains, dogs and snow in the world?',
    ],
  ])('need enough words of content where what they ask for is only nearly the same: %s | %s', (a, b, longA, longB) => {
    expect([same(a, b), same(a, b, 'wide'), same(longA, longB)]).toEqual([false, true, true]);
  });

  it('may name another person only where the policy lets it', () => {
    expect(same('How do you become a dentist?', 'How do I become a dentist?')).toBe(false);
    expect(same('How do you refund cancelled orders from shops in Norway?', 'How do I refund cancelled orders from shops in Norway?')).toBe(
      false,
    );
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
    ['symbols', 'What is the best way to write a C# app?', 'What is the best way to write a C app?'],
    ['numbers', 'What is the best phone under 30k?', 'What is the best phone under 30?'],
    ['numbers', 'How do I convert 5 feet 10 inches?', 'How do I convert 10 feet 5 inches?'],
    ['numbers', 'How do I upgrade from 12 to 13?', 'How do I upgrade from 13 to 12?'],
    ['numbers', 'How many people have 1.5k followers?', 'How many people have 1.5000 followers?'],
    ['years', 'What are the best films of 2015?', 'What are the best films of 2016?'],
    ['places', 'What is the best hospital in Quito?', 'What is the best hospital in Lima?'],
    ['places', 'How do I become a baker in Chile?', 'How do I become a baker?'],
    ['names', 'What is the best book by Orwell?', 'What is the best book on Orwell?'],
    ['negation', 'How do I not fall asleep?', 'How do I fall asleep?'],
    ['negation', 'What is the best food with sugar?', 'What is the best food without sugar?'],
    ['negation', 'Is it safe to eat raw eggs?', 'Is it unsafe to eat raw eggs?'],
    ['negation', 'Who can vote in Chile?', "Who can't vote in Chile?"],
    ['opposites', 'How do I increase the size of my swap file?', 'How do I decrease the size of my swap file?'],
    ['opposites', 'What is the best way to enable the firewall on Linux?', 'What is the best way to disable the firewall on Linux?'],
    ['opposites', 'What are the advantages of wind power?', 'What are the disadvantages of wind power?'],
    ['opposites', 'What is the fastest train in Europe?', 'What is the slowest train in Europe?'],
    ['opposites', 'What is the most expensive phone?', 'What is the least expensive phone?'],
    ['opposites', 'What is the best film?', 'What is the worst film?'],
    ['opposites', 'Should I buy or sell?', 'Should I sell?'],
    ['more and less', 'How do I eat more salt?', 'How do I eat less salt?'],
    ['more and less', 'Why are cats more popular than dogs?', 'Why are cats less popular than dogs?'],
    ['before and after', 'What should I eat before a run?', 'What should I eat after a run?'],
    ['before and after', 'How do I stretch before running a marathon in Spain?', 'How do I stretch after running a marathon in Spain?'],
    ['under and over', 'What is the best laptop under $900 for students?', 'What is the best laptop over $900 for students?'],
    ['direction', 'What is the best flight from Rome to Oslo?', 'What is the best flight from Oslo to Rome?'],
    ['direction', 'How do I transfer photos from an iPhone to a Mac?', 'How do I transfer photos from a Mac to an iPhone?'],
    ['direction', 'How do I run Linux in Windows?', 'How do I run Windows in Linux?'],
    [
      'direction',
      'What is the best way to run a Linux container in a Windows guest?',
      'What is the best way to run a Windows container in a Linux guest?',
    ],
    ['direction', 'What is the best Linux emulator for Windows?', 'What is the best Windows emulator for Linux?'],
    ['direction', 'How do I add text to a photo?', 'How do I add a photo to text?'],
    ['direction', 'How do I replace butter with oil?', 'How do I replace oil with butter?'],
    ['direction', 'How do I teach a dog to like a cat?', 'How do I teach a cat to like a dog?'],
    ['direction', 'How do I compare a cat with a big dog?', 'How do I compare a dog with a big cat?'],
    ['direction', 'Do dogs chase cats?', 'Do cats chase dogs?'],
    ['direction', 'Is Java better than Python?', 'Is Python better than Java?'],
    ['direction', 'How do I take photos of cats in hats of dogs?', 'How do I take photos of dogs in hats of cats?'],
    ['kind of question', 'Is it possible to learn piano?', 'How do I learn piano?'],
    ['kind of question', 'Why do cats purr?', 'Do cats purr?'],
    ['kind of question', 'Where is Marta?', 'Who is Marta?'],
    ['what a word means', 'What does very mean?', 'What does really mean?'],
    ['what a word means', 'What does año mean?', 'What does ano mean?'],
    ['what a word means', 'What does recieve mean?', 'What does receive mean?'],
    ['quotations', 'Who sang "at home"?', 'Who sang "on home"?'],
    ['quotations', 'Who sang "kids" before "men"?', 'Who sang "men" before "kids"?'],
    ['who asks', 'What is the best thing you have seen?', 'What is the best thing I have seen?'],
    ['time', 'Why is the moon bright?', 'Why was the moon bright?'],
    ['time', 'What was the best film?', 'What is the best film?'],
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
    ['what the asker owns', 'What does my horoscope say about me?'],
    ['nothing', '  '],
    ['punctuation', '?!'],
  ])('%s', (_what, text) => expect(canonicalQuestion(text, 'wide')).toBeNull());
});

describe('the form', () => {
  it('keeps all digits, does not see spaces around the text, and takes any text', () => {
    const word = fc.constantFrom(
      'how',
      'can',
      'i',
      'to',
      'the',
      'a',
      'cats',
      'Windows',
      '17',
      '"x y"',
      'IT',
      'not',
      'in',
      'please',
      'my',
      'are',
      'what',
      "don't",
      'vitamin',
      '“z',
      ',',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
      fc.array(word, { maxLength: 12 }).map((words) => `what ${words.join(' ')}`),
    );
    fc.assert(
      fc.property(text, fc.constantFrom<SemanticMatch>('strict', 'wide'), (value, match) => {
        const canonical = canonicalQuestion(value, match);
        if (canonical === null) return;
        const digits = (of: string): string => of.replace(/\D/g, '');
        if (!/\d\W*k|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand)\b/i.test(value))
          expect(digits(canonical)).toBe(digits(value.normalize('NFC')));
        expect(canonicalQuestion(` ${value} `, match)).toBe(canonical);
      }),
      runs(200),
    );
  });
});
