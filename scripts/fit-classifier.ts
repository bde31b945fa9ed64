import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { featureNames, textFeatures } from '../src/classify/features.ts';

/**
 * Fits the text weights of the classifier on labelled prompts (tiers.jsonl.gz, split `train`) by least squares with a
 * little ridge, and prints the table for src/classify/weights.ts. Usage: node scripts/fit-classifier.ts DIR
 */
interface Row {
  readonly prompt: string;
  readonly expected_tier: string;
  readonly split: string;
}

const targets: Readonly<Record<string, number>> = { SIMPLE: 0.1, MEDIUM: 0.45, COMPLEX: 0.8, REASONING: 0.8 };
const dir = process.argv[2] ?? '';
const rows = gunzipSync(readFileSync(join(dir, 'tiers.jsonl.gz')))
  .toString('utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Row)
  .filter((row) => row.split === 'train');
const size = featureNames.length + 1;
const x = rows.map((row) => [...textFeatures(row.prompt).values, 1]);
const y = rows.map((row) => targets[row.expected_tier]!);
const weights = new Array<number>(size).fill(0);
const ridge = 4;
const residual = y.slice();
for (let round = 0; round < 400; round++) {
  for (let j = 0; j < size; j++) {
    let numerator = 0;
    let denominator = j === size - 1 ? 0 : ridge;
    for (let i = 0; i < x.length; i++) {
      const value = x[i]![j]!;
      if (value === 0) continue;
      numerator += value * (residual[i]! + weights[j]! * value);
      denominator += value * value;
    }
    if (denominator === 0) continue;
    const next = numerator / denominator;
    const change = next - weights[j]!;
    if (change !== 0) for (let i = 0; i < x.length; i++) residual[i]! -= change * x[i]![j]!;
    weights[j] = next;
  }
}
for (const [index, name] of [...featureNames, 'base'].entries()) process.stdout.write(`  ${name}: ${weights[index]!.toFixed(3)},\n`);
