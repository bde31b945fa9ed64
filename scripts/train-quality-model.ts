import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCorpus } from '../src/classify/text/corpus.ts';
import { defaultQualityFile } from '../src/router/quality/file.ts';
import { readOutcomes } from '../src/router/quality/outcomes.ts';
import { trainQuality } from '../src/router/quality/train.ts';

/**
 * Trains the quality model that comes with Sluice on public rows of several models' outcomes. Every eighth prompt of data/prompts is the
 * background: kinds of work whose
 * outcomes nobody measured. The same rows give the same bytes.
 * Usage: node scripts/train-quality-model.ts ROWS.jsonl[.gz] [--out FILE] [--name NAME] [--source NAME] [--licence NAME]
 */
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: defaultQualityFile },
    name: { type: 'string', default: 'quality-1' },
    source: { type: 'string' },
    licence: { type: 'string' },
  },
});
const every = 8;
const data = await readOutcomes(positionals[0] ?? '');
const rows = data.rows.map((row) => ({ ...row, source: flags.source ?? row.source, licence: flags.licence ?? row.licence }));
const background = readCorpus(join(import.meta.dirname, '..', 'data', 'prompts'))
  .filter((_, at) => at % every === 0)
  .map(({ prompt }) => prompt);
const { bytes, header } = trainQuality(
  { ...data, rows },
  { name: flags.name, trainedWith: 'scripts/train-quality-model.ts', seed: 1, folds: 5, background },
);
writeFileSync(flags.out, bytes);
process.stderr.write(
  `${flags.out}: ${bytes.length} bytes, ${header.models.length} models, ${header.kinds.length} kinds; explained within a kind: ${header.card.explained}\n`,
);
