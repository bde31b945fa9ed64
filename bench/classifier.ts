import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { classifyRequest } from '../src/classify/index.ts';
import { tiers, type Tier } from '../src/classify/types.ts';
import { exchangeOf } from '../test/support/exchange.ts';

/**
 * How the classifier does on labelled prompts and on real outcomes, beside constant answers and simple rules, as Markdown.
 * Usage: npm run bench -- classifier DIR, with tiers.jsonl.gz, train.jsonl.gz and dev.jsonl.gz in DIR.
 */

interface TierRow {
  readonly prompt: string;
  readonly expected_tier: string;
  readonly lang: string;
  readonly split: string;
}

interface OutcomeRow {
  readonly prompt: string;
  readonly weak_score: number;
  readonly strong_score: number;
}

export function readRows<T>(file: string): T[] {
  return gunzipSync(readFileSync(file))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

const labels: Readonly<Record<string, Tier>> = { SIMPLE: 'simple', MEDIUM: 'standard', COMPLEX: 'complex', REASONING: 'complex' };

/** Words that rule-based routers commonly gate on. */
const reasoningWords = /\b(?:why|explain|compare|prove|analy[sz]e|design|step by step|evaluate|derive|implement|architect)\b/i;

type Classifier = (prompt: string) => Tier;

export interface TierResult {
  readonly accuracy: number;
  /** Mean F1 over the three tiers. */
  readonly macroF1: number;
  /** Share of prompts sent below their label: errors that cost quality. */
  readonly below: number;
  /** Share sent above: errors that cost money. */
  readonly above: number;
}

export function measureTiers(rows: readonly TierRow[], classify: Classifier): TierResult {
  let right = 0;
  let below = 0;
  let above = 0;
  const hit: Record<Tier, number> = { simple: 0, standard: 0, complex: 0 };
  const said: Record<Tier, number> = { simple: 0, standard: 0, complex: 0 };
  const truth: Record<Tier, number> = { simple: 0, standard: 0, complex: 0 };
  for (const row of rows) {
    const label = labels[row.expected_tier]!;
    const answer = classify(row.prompt);
    truth[label]++;
    said[answer]++;
    if (answer === label) {
      right++;
      hit[label]++;
    } else if (tiers.indexOf(answer) < tiers.indexOf(label)) below++;
    else above++;
  }
  const f1 = tiers.map((tier) => (hit[tier] === 0 ? 0 : (2 * hit[tier]) / (said[tier] + truth[tier])));
  return { accuracy: right / rows.length, macroF1: (f1[0]! + f1[1]! + f1[2]!) / 3, below: below / rows.length, above: above / rows.length };
}

/** Mean share of the gap between the models that is kept, over all shares of strong calls; 0.5 is random. */
export function apgr(rows: readonly OutcomeRow[], score: (prompt: string, index: number) => number): number {
  const order = rows
    .map((row, index) => ({ gain: row.strong_score - row.weak_score, score: score(row.prompt, index) }))
    .sort((a, b) => b.score - a.score);
  const gap = order.reduce((sum, { gain }) => sum + gain, 0);
  let kept = 0;
  let area = 0;
  for (const { gain } of order) {
    kept += gain;
    area += kept / gap;
  }
  return area / order.length;
}

/** Loss against always-strong, relative, when some go to the weak model. */
export function outcome(
  rows: readonly OutcomeRow[],
  weak: (prompt: string) => boolean,
): { readonly weakShare: number; readonly loss: number } {
  let sent = 0;
  let got = 0;
  let best = 0;
  for (const row of rows) {
    const small = weak(row.prompt);
    if (small) sent++;
    got += small ? row.weak_score : row.strong_score;
    best += row.strong_score;
  }
  return { weakShare: sent / rows.length, loss: 1 - got / best };
}

const verdictOf = (prompt: string) => classifyRequest(exchangeOf({ lastUser: prompt }));
export const ours: Classifier = (prompt) => verdictOf(prompt).tier;
export const ourScore = (prompt: string): number => verdictOf(prompt).score;

/** A reasoning word means complex; without one, short means simple. The cut in length is the best one on the training split. */
export function keywordRule(train: readonly TierRow[]): Classifier {
  let best: Classifier = () => 'standard';
  let most = 0;
  for (let cut = 10; cut <= 300; cut += 10) {
    const rule: Classifier = (prompt) => (reasoningWords.test(prompt) ? 'complex' : prompt.length < cut ? 'simple' : 'standard');
    const { accuracy } = measureTiers(train, rule);
    if (accuracy > most) {
      most = accuracy;
      best = rule;
    }
  }
  return best;
}

/** The best two cuts in length on the training split. */
export function lengthRule(train: readonly TierRow[]): Classifier {
  let best: Classifier = () => 'standard';
  let most = 0;
  for (let low = 10; low <= 60; low += 5) {
    for (let high = low + 10; high <= 160; high += 10) {
      const rule: Classifier = (prompt) => (prompt.length < low ? 'simple' : prompt.length < high ? 'standard' : 'complex');
      const { accuracy } = measureTiers(train, rule);
      if (accuracy > most) {
        most = accuracy;
        best = rule;
      }
    }
  }
  return best;
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)}%`;
}

function report(dir: string): string {
  const all = readRows<TierRow>(join(dir, 'tiers.jsonl.gz'));
  const train = all.filter((row) => row.split === 'train');
  const held = all.filter((row) => row.split !== 'train');
  const byLength = lengthRule(train);
  const byKeyword = keywordRule(train);
  const rules: readonly (readonly [string, Classifier])[] = [
    ['Sluice', ours],
    ['keyword rule (cut tuned on train)', byKeyword],
    ['length rule (cuts tuned on train)', byLength],
    ['always simple', () => 'simple'],
    ['always standard', () => 'standard'],
    ['always complex', () => 'complex'],
  ];
  const lines = [
    `Labelled tiers, ${held.length} prompts that no weight was fitted on:`,
    '',
    '| | accuracy | macro F1 | errors that cost quality (tier too low) | errors that cost money (tier too high) |',
    '|---|---|---|---|---|',
    ...rules.map(([name, rule]) => {
      const { accuracy, macroF1, below, above } = measureTiers(held, rule);
      return `| ${name} | ${percent(accuracy)} | ${macroF1.toFixed(2)} | ${percent(below)} | ${percent(above)} |`;
    }),
    '',
    'By language, Sluice:',
    '',
    '| language | prompts | accuracy | too low | too high |',
    '|---|---|---|---|---|',
  ];
  for (const lang of [...new Set(held.map((row) => row.lang))].sort()) {
    const rows = held.filter((row) => row.lang === lang);
    if (rows.length < 10) continue;
    const { accuracy, below, above } = measureTiers(rows, ours);
    lines.push(`| ${lang} | ${rows.length} | ${percent(accuracy)} | ${percent(below)} | ${percent(above)} |`);
  }
  for (const name of ['train', 'dev']) {
    const rows = readRows<OutcomeRow>(join(dir, `${name}.jsonl.gz`));
    let seed = 1;
    const random = (): number => (seed = (seed * 16807) % 2147483647);
    lines.push('', `Real outcomes, ${name} (${rows.length} rows; the simple tier goes to the weak model, the rest to the strong one):`, '');
    lines.push('| | APGR of the score | share on the weak model | loss against always strong |', '|---|---|---|---|');
    const row = (title: string, ranking: number, weak: (prompt: string) => boolean): void => {
      const { weakShare, loss } = outcome(rows, weak);
      lines.push(`| ${title} | ${ranking.toFixed(2)} | ${percent(weakShare)} | ${percent(loss)} |`);
    };
    row('Sluice', apgr(rows, ourScore), (prompt) => ours(prompt) === 'simple');
    row(
      'keyword rule',
      apgr(rows, (prompt) => tiers.indexOf(byKeyword(prompt))),
      (prompt) => byKeyword(prompt) === 'simple',
    );
    row(
      'length rule',
      apgr(rows, (prompt) => prompt.length),
      (prompt) => byLength(prompt) === 'simple',
    );
    row('random', apgr(rows, random), () => random() % 2 === 0);
    row('always weak', 0.5, () => true);
    row('always strong', 0.5, () => false);
  }
  lines.push('', `Time of one classification, Node ${process.versions.node}, one thread:`, '', '| text | p50 | p99 |', '|---|---|---|');
  const sample = all.map(({ prompt }) => prompt).join('\n');
  for (const [name, units] of [
    ['200 B', 200],
    ['2 KB', 2_048],
    ['32 KB', 32_768],
  ] as const) {
    const { p50, p99 } = speed(sample, units);
    lines.push(`| ${name} | ${p50.toFixed(1)} µs | ${p99.toFixed(1)} µs |`);
  }
  return `${lines.join('\n')}\n`;
}

/** Times of one classification in µs, over different cuts of a text. Each is timed as a batch, for the clock's sake. */
export function speed(sample: string, units: number): { readonly p50: number; readonly p99: number } {
  const exchanges = Array.from({ length: 64 }, (_, at) => {
    const from = (at * 997) % Math.max(1, sample.length - units);
    return exchangeOf({ lastUser: sample.slice(from, from + units), promptTokens: Math.ceil(units / 4) });
  });
  const batch = 10;
  const times: number[] = [];
  for (let round = 0; round < 3_000; round++) {
    const exchange = exchanges[round % exchanges.length]!;
    const start = process.hrtime.bigint();
    for (let i = 0; i < batch; i++) classifyRequest(exchange);
    if (round >= 1_000) times.push(Number(process.hrtime.bigint() - start) / 1e3 / batch);
  }
  times.sort((a, b) => a - b);
  return { p50: times[Math.floor(times.length * 0.5)]!, p99: times[Math.floor(times.length * 0.99)]! };
}

if (import.meta.main) {
  const dir = process.argv[2] ?? process.env['SLUICE_ROUTING_DATA'];
  if (dir === undefined) {
    process.stderr.write('Usage: npm run bench -- classifier DIR\n');
    process.exitCode = 2;
  } else {
    process.stdout.write(report(dir));
  }
}
