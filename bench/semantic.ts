import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { SemanticMatch } from '../src/policy/options/cache.ts';
import { canonicalQuestion } from '../src/cache/semantic/canonical.ts';

/**
 * How often the semantic cache would serve, and how often wrongly, on labelled pairs of questions. Usage: `npm run bench -- semantic FILE`
 * (or SLUICE_CACHE_PAIRS); JSON lines `{a, b, label}`, gzip or not, 1 = same question; a folder stands for its pairs-dev.jsonl.gz.
 */
export interface Pair {
  readonly a: string;
  readonly b: string;
  readonly label: 0 | 1;
}

export interface Rates {
  readonly pairs: number;
  readonly same: number;
  readonly hits: number;
  readonly falseHits: number;
}

export function readPairs(path: string): Pair[] {
  const file = statSync(path).isDirectory() ? join(path, 'pairs-dev.jsonl.gz') : path;
  const bytes = readFileSync(file);
  const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Pair);
}

/** What a rule that says "same" to some pairs gets right and wrong. */
export function rates(pairs: readonly Pair[], same: (a: string, b: string) => boolean): Rates {
  return counted(pairs, ({ a, b }) => same(a, b));
}

function counted(pairs: readonly Pair[], serves: (pair: Pair) => boolean): Rates {
  const hits = pairs.filter(serves);
  return {
    pairs: pairs.length,
    same: pairs.filter(({ label }) => label === 1).length,
    hits: hits.length,
    falseHits: hits.filter(({ label }) => label === 0).length,
  };
}

/** Words that say how a question is asked rather than what it is about. */
const asking = new Set(
  'a an the is are was were be do does did can could will would should i we you my our your me us it this that to of in on for at by with and or as so any some what which how why who when where not no'.split(
    ' ',
  ),
);

/** The same words of content, whatever their order: no guard on numbers, capitals, negation, direction, quotations or symbols. */
export function sameWords(a: string, b: string): boolean {
  const content = (text: string): string =>
    (text.toLowerCase().match(/\p{L}+/gu) ?? [])
      .filter((word) => !asking.has(word))
      .map((word) => word.replace(/(?<=...)s$/, ''))
      .sort()
      .join(' ');
  const words = content(a);
  return words !== '' && words === content(b);
}

/** What the cache does. */
export function servedAlike(a: string, b: string, match: SemanticMatch = 'strict', enough?: number): boolean {
  const canonical = canonicalQuestion(a, match, enough);
  return canonical !== null && canonical === canonicalQuestion(b, match, enough);
}

/** The same text but for white space at its ends, case and closing punctuation: no judgement is needed to serve it. */
export function identical(a: string, b: string): boolean {
  const plain = (text: string): string =>
    text
      .trim()
      .replace(/[?.!\s]+$/, '')
      .toLowerCase();
  return plain(a) === plain(b);
}

/** Cosine of counts of words, pairs of words and runs of three letters: similarity alone, as a baseline. */
export function similarity(a: string, b: string): number {
  const [x, y] = [grams(a), grams(b)];
  let dot = 0;
  for (const [gram, count] of x) dot += count * (y.get(gram) ?? 0);
  const norm = (of: ReadonlyMap<string, number>): number => Math.sqrt([...of.values()].reduce((sum, count) => sum + count * count, 0));
  return dot / (norm(x) * norm(y) || 1);
}

function grams(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (gram: string): void => void counts.set(gram, (counts.get(gram) ?? 0) + 1);
  const words = text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
  for (const [index, word] of words.entries()) {
    add(word);
    if (index > 0) add(`${words[index - 1]!} ${word}`);
    for (let at = 0; at + 3 <= word.length; at++) add(`#${word.slice(at, at + 3)}`);
  }
  return counts;
}

/** Largest rate that is still likely (95%, one side) to give so few false hits: Clopper and Pearson's bound, by halving. */
export function upperBound({ hits, falseHits }: Rates): number {
  if (hits === 0) return 1;
  let [low, high] = [falseHits / hits, 1];
  for (let step = 0; step < 60; step++) {
    const p = (low + high) / 2;
    // In logarithms: the first of many terms is too small for a number.
    let term = hits * Math.log1p(-p);
    let sum = Math.exp(term);
    for (let k = 1; k <= falseHits; k++) {
      term += Math.log(((hits - k + 1) / k) * (p / (1 - p)));
      sum += Math.exp(term);
    }
    if (sum > 0.05) low = p;
    else high = p;
  }
  return high;
}

/** Which of so many parts of the pairs one is in: by its texts, so that it stays there. */
export function partOf({ a, b }: Pair, salt: string, parts: number): number {
  return createHash('sha256').update(`${salt}|${a}|${b}`).digest()[0]! % parts;
}

/** The half of the pairs that was read while most of the rules were written; of the other half counts and false hits were seen. */
const wasRead = (pair: Pair): boolean => partOf(pair, 'design', 2) === 0;

/** How many words of content may be asked for where a question's frame is only nearly the same. */
const choices = [0, 2, 3, 4, 5, 6, 99] as const;
const folds = 10;

/** What `strict` does to each tenth of the pairs with the choice that gives the other nine most hits at so many false ones in a hit. */
export function outOfFold(pairs: readonly Pair[], rate = 0.005): Rates {
  const served = choices.map((choice) => new Set(pairs.filter(({ a, b }) => servedAlike(a, b, 'strict', choice))));
  const hits: Pair[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const inside = (pair: Pair): boolean => partOf(pair, 'fold', folds) === fold;
    const outside = pairs.filter((pair) => !inside(pair));
    const found = served.map((those) => ({ those, ...counted(outside, (pair) => those.has(pair)) }));
    // Where no choice keeps the rate the strictest is what is left.
    const { those: best } =
      found.filter(({ hits: of, falseHits }) => falseHits <= of * rate).sort((one, other) => other.hits - one.hits)[0] ?? found.at(-1)!;
    hits.push(...pairs.filter((pair) => inside(pair) && best.has(pair)));
  }
  const right = new Set(hits);
  return counted(pairs, (pair) => right.has(pair));
}

const percent = (value: number): string => `${(100 * value).toFixed(2)}%`;

export function report(pairs: readonly Pair[]): string {
  const differing = pairs.filter(({ a, b }) => !identical(a, b));
  const strict = (of: readonly Pair[]): Rates => rates(of, (a, b) => servedAlike(a, b));
  const rows: [string, Rates][] = [
    ...[0.7, 0.8, 0.9, 0.95].map((threshold): [string, Rates] => [
      `before the guards: similarity ≥ ${threshold}`,
      rates(pairs, (a, b) => similarity(a, b) >= threshold),
    ]),
    ['before the guards: the same words', rates(pairs, sameWords)],
    ['`strict`', strict(pairs)],
    ['… of the half that was read for its rules', strict(pairs.filter(wasRead))],
    ['… of the other half', strict(pairs.filter((pair) => !wasRead(pair)))],
    ['… out of fold', outOfFold(pairs)],
    ['… without pairs of the same text', strict(differing)],
    ...choices.map((choice): [string, Rates] => [
      choice === 99 ? '… without what asks nearly the same' : `… with what asks nearly the same from ${choice} words of content on`,
      rates(pairs, (a, b) => servedAlike(a, b, 'strict', choice)),
    ]),
    ['`wide`', rates(pairs, (a, b) => servedAlike(a, b, 'wide'))],
  ];
  return [
    '| rule | pairs | same | hits | hit rate | of the same ones | false hits | of the hits | at most (95%) |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.map(
      ([name, r]) =>
        `| ${name} | ${r.pairs} | ${r.same} | ${r.hits} | ${percent(r.hits / r.pairs)} | ${percent((r.hits - r.falseHits) / r.same)} | ${r.falseHits} | ${percent(r.hits === 0 ? 0 : r.falseHits / r.hits)} | ${percent(upperBound(r))} |`,
    ),
    '',
  ].join('\n');
}

/** Time of CPU that the form of one of these questions takes, on average, in µs: the best of five passes. */
function costOf(pairs: readonly Pair[]): number {
  const questions = pairs.flatMap(({ a, b }) => [a, b]);
  const passes = Array.from({ length: 5 }, () => {
    const start = process.cpuUsage();
    for (const question of questions) canonicalQuestion(question, 'strict');
    const { user, system } = process.cpuUsage(start);
    return (user + system) / questions.length;
  });
  return Math.min(...passes);
}

if (import.meta.main) {
  const path = process.argv[2] ?? process.env['SLUICE_CACHE_PAIRS'] ?? '';
  if (!existsSync(path)) {
    process.stderr.write('name a file of labelled pairs\n');
    process.exitCode = 2;
  } else {
    const pairs = readPairs(path);
    process.stdout.write(report(pairs));
    process.stdout.write(`form of a question: ${costOf(pairs).toFixed(1)} µs\n`);
    for (const match of ['strict', 'wide'] as const) {
      for (const { a, b } of pairs.filter((pair) => pair.label === 0 && servedAlike(pair.a, pair.b, match)))
        process.stdout.write(`false hit of ${match}: ${a} | ${b}${identical(a, b) ? ' (the same text)' : ''}\n`);
    }
  }
}
