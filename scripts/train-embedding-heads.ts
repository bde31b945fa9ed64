import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { askKey } from '../src/classify/embedding/ask.ts';
import { encodeHeads, headsFile } from '../src/classify/embedding/heads.ts';
import { SentenceModel, weightsHash } from '../src/classify/embedding/session.ts';
import { joinedOutputs, trainHeads, type HeadOptions, type HeadRow } from '../src/classify/embedding/train.ts';
import { promptKey, readCorpus } from '../src/classify/text/corpus.ts';
import { textModel } from '../src/classify/text/file.ts';
import { textFields, textTasks, type TextField, type TextTask } from '../src/classify/text/heads.ts';
import { measureHeldOut } from '../src/classify/text/held-out.ts';
import type { TextRow } from '../src/classify/text/example.ts';
import type { Judged } from '../src/classify/text/pack.ts';
import { randomOf } from '../src/classify/text/train.ts';
import { linesOf } from '../src/lib/lines.ts';

/**
 * Trains the heads that join the sentence model's vectors with the text model's outputs, on the prompts of data/prompts: `--dump` is what
 * `scripts/measure-text-model.ts --dump` wrote, the outputs for prompts left out of the training, since outputs for known prompts look too
 * sure. Prints what the vectors add on batches left out of the heads' training too, then trains with all and writes the file. Vectors are kept in
 * `--vectors` for the next time.
 * Usage: node scripts/train-embedding-heads.ts --dump FILE [--folder FOLDER] [--vectors FILE] [--out FILE]
 */
const { values: flags } = parseArgs({
  options: {
    dump: { type: 'string' },
    folder: { type: 'string', default: join(import.meta.dirname, '..', '.tools', 'embedding') },
    vectors: { type: 'string' },
    out: { type: 'string', default: headsFile },
  },
});
if (flags.dump === undefined) throw new Error('--dump FILE: what scripts/measure-text-model.ts --dump wrote');

/** A line of the dump. */
interface Dumped {
  readonly key: string | null;
  readonly group: string;
  readonly task: TextTask | null;
  readonly fields: readonly TextField[] | null;
  readonly level: number | null;
  readonly tier: number | null;
  readonly z: readonly number[];
}

interface Prepared extends HeadRow {
  readonly row: TextRow;
}

const { temperature, score } = textModel().header;
const options: HeadOptions = { temperature, meanLevel: score.mean, epochs: 4, rate: 0.02, decay: 0.01 };
const prompts = new Map(readCorpus(join(import.meta.dirname, '..', 'data', 'prompts')).map((prompt) => [promptKey(prompt), prompt]));
const rows = await prepared(flags.dump);
const fifthOf = dealt(rows, 5);
const without = new Map<Prepared, Judged>();
const withVectors = new Map<Prepared, Judged>();
for (let fifth = 0; fifth < 5; fifth++) {
  const heads = trainHeads(
    rows.filter((row) => fifthOf(row) !== fifth),
    options,
  );
  for (const row of rows.filter((one) => fifthOf(one) === fifth)) {
    without.set(row, { ...row, z: Float64Array.from(row.z) });
    withVectors.set(row, { ...row, z: joinedOutputs(heads, row) });
  }
}
const measured: Record<string, number> = {};
for (const [name, judged] of [
  ['textModel', without],
  ['joined', withVectors],
] as const)
  for (const [where, is] of [
    ['en', true],
    ['others', false],
  ] as const) {
    const some = rows.filter(({ row }) => row.group.startsWith('en/') === is);
    const figures = measureHeldOut({
      judged: some.map((row) => judged.get(row)!),
      rows: some.map(({ row }) => row),
      meanLevel: score.mean,
      temperature,
    });
    say(JSON.stringify({ name, where, ...figures, ...fieldScores(some, judged) }));
    for (const figure of ['taskAccuracy', 'fieldAccuracy', 'levelRankCorrelation'])
      measured[`${name}.${where}.${figure}`] = figures[figure]!;
  }
const bytes = encodeHeads(trainHeads(rows, options), {
  weights: await weightsHash(flags.folder),
  card: {
    name: 'embedding-1',
    trainedWith: 'scripts/train-embedding-heads.ts',
    prompts: new Set(rows.map(({ row }) => row.prompt)).size,
    textModel: textModel().version,
    measured,
  },
});
writeFileSync(flags.out, bytes);
say(`${flags.out}: ${bytes.length} bytes`);

/** The dump's rows of data/prompts, with vectors. */
async function prepared(dump: string): Promise<Prepared[]> {
  const found: { readonly line: Dumped; readonly row: TextRow }[] = [];
  for await (const text of linesOf(createReadStream(dump))) {
    if (text === '') continue;
    const line = JSON.parse(text) as Dumped;
    const prompt = line.key === null ? undefined : prompts.get(line.key);
    if (prompt === undefined || line.task === null || line.fields === null) continue;
    found.push({ line, row: { ...prompt, group: line.group, task: line.task, fields: line.fields, level: line.level, tier: line.tier } });
  }
  const vectors = await vectorsOf(found.map(({ row }) => row.prompt));
  return found.map(({ line: { z, level, tier }, row }) => ({
    row,
    z,
    level,
    tier,
    task: textTasks.indexOf(row.task!),
    fields: textFields.map((field) => row.fields!.includes(field)),
    vector: vectors.get(askKey(row.prompt))!,
  }));
}

/** The vector of each prompt by its key, those that are kept first. */
async function vectorsOf(texts: readonly string[]): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  const kept = flags.vectors;
  if (kept !== undefined && existsSync(kept)) {
    const bytes = readFileSync(kept);
    const each = 16 + 4 * 384;
    for (let at = 0; at + each <= bytes.length; at += each)
      vectors.set(bytes.toString('hex', at, at + 16), new Float32Array(new Uint8Array(bytes.subarray(at + 16, at + each)).buffer));
  }
  const missing = [...new Map(texts.map((text) => [askKey(text), text]))].filter(([key]) => !vectors.has(key));
  const model = missing.length === 0 ? null : await SentenceModel.open(flags.folder);
  for (const [at, [key, text]] of missing.entries()) {
    vectors.set(key, await model!.embed(text));
    if (at % 1_000 === 999) say(`${at + 1} of ${missing.length} vectors`);
  }
  if (kept !== undefined && missing.length > 0)
    writeFileSync(
      kept,
      Buffer.concat(
        [...vectors].flatMap(([key, vector]) => [
          Buffer.from(key, 'hex'),
          Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength),
        ]),
      ),
    );
  return vectors;
}

/** Deals whole batches to `parts` parts. */
function dealt(all: readonly Prepared[], parts: number): (row: Prepared) => number {
  const random = randomOf(29);
  const part = new Map([...new Set(all.map(({ row }) => row.group))].map((group) => [group, Math.floor(random() * parts)]));
  return ({ row }) => part.get(row.group)!;
}

/** F1 of fields that matter most, by the field with the highest output. */
function fieldScores(some: readonly Prepared[], judged: ReadonlyMap<Prepared, Judged>): Record<string, number> {
  return Object.fromEntries(
    ['code', 'maths', 'medical', 'legal', 'finance'].map((name) => {
      const k = textFields.indexOf(name as TextField);
      let right = 0;
      let said = 0;
      let is = 0;
      for (const row of some) {
        const outputs = judged.get(row)!.z.subarray(textTasks.length, textTasks.length + textFields.length);
        const says = outputs[k] === Math.max(...outputs);
        const holds = row.fields[k] === true;
        right += Number(says && holds);
        said += Number(says);
        is += Number(holds);
      }
      return [`f1.${name}`, Math.round((2000 * right) / Math.max(1, said + is)) / 1000];
    }),
  );
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
