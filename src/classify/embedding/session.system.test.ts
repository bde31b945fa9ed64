import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchangeOf } from '../../../test/support/exchange.ts';
import { classifyRequest } from '../index.ts';
import { Embedder } from './embedder.ts';
import { embeddingHeads } from './heads.ts';
import { SentenceModel, weightsName } from './session.ts';
import { Unigram } from './unigram.ts';
import { WeightsFile } from './weights-file.ts';

// sh scripts/setup.sh embedding
const folder = process.env['SLUICE_EMBEDDING'] ?? join(import.meta.dirname, '..', '..', '..', '.tools', 'embedding');
const installed = existsSync(join(folder, weightsName));
const scratch = mkdtempSync(join(tmpdir(), 'sluice-embedding-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe.skipIf(!installed)('the pieces of a text (the sentence model)', () => {
  let unigram: Unigram;
  beforeAll(() => {
    unigram = new Unigram(new WeightsFile(join(folder, weightsName)).pieces);
  });

  // What the tokenizer of XLM-R, whose pieces these are, is published to give.
  it.each<readonly [string, readonly number[]]>([
    ['Hello World!', [0, 35378, 6661, 38, 2]],
    [
      'This is a very long text with a lot of weird characters, such as: . , ~ ? ( ) " [ ] ! : - . Also we will add words that should not exsist and be tokenized to <unk>, such as saoneuhaoesuth',
      [
        0, 3293, 83, 10, 4552, 4989, 7986, 678, 10, 5915, 111, 179459, 124850, 4, 6044, 237, 12, 6, 5, 6, 4, 6780, 705, 15, 1388, 44, 378,
        10114, 711, 152, 20, 6, 5, 22376, 642, 1221, 15190, 34153, 450, 5608, 959, 1119, 57702, 136, 186, 47, 1098, 29367, 47, 4426, 3678,
        2740, 4, 6044, 237, 6284, 50901, 528, 31, 90, 34, 927, 2,
      ],
    ],
  ])('of %s are those of its tokenizer', (text, ids) => {
    expect([...unigram.encode(text, 512)]).toEqual(ids);
  });

  it('are the same for other forms of a letter, and for several spaces', () => {
    expect([...unigram.encode('ﬁne  ｔｅｘｔ', 64)]).toEqual([...unigram.encode('fine text', 64)]);
  });

  it('are the beginning and the end of a long text', () => {
    const words = Array.from({ length: 500 }, (_, at) => `word${at}`).join(' ');
    const all = [...unigram.encode(words, 10_000)];
    const some = [...unigram.encode(words, 32)];
    expect(some).toHaveLength(32);
    expect(some).toEqual([...all.slice(0, 21), ...all.slice(-11)]);
  });

  it('are there for a text of nothing, of letters that no piece has, and of half a letter', () => {
    expect(unigram.encode('', 8).length).toBeGreaterThanOrEqual(2);
    expect(unigram.encode('\u{10FFFF}', 8).length).toBeLessThanOrEqual(8);
    expect(() => unigram.encode('\ud800', 8)).not.toThrow();
  });
});

describe.skipIf(!installed)('vectors (the sentence model)', () => {
  let model: SentenceModel;
  beforeAll(async () => {
    // A folder as people type it.
    model = await SentenceModel.open(relative(process.cwd(), folder));
  });

  it('have length 1, and are the same each time', async () => {
    const vector = await model.embed('Wie wird das Wetter morgen?');
    expect(Math.sqrt(dot(vector, vector))).toBeCloseTo(1, 5);
    expect(await model.embed('Wie wird das Wetter morgen?')).toEqual(vector);
  });

  it('are near for the same question in other languages', async () => {
    const [english, german, japanese, other] = await Promise.all([
      model.embed('What is the capital of France?'),
      model.embed('Was ist die Hauptstadt von Frankreich?'),
      model.embed('フランスの首都はどこですか？'),
      model.embed('Write a Python function that sorts a list'),
    ]);
    expect(dot(english, german)).toBeGreaterThan(dot(english, other) + 0.05);
    expect(dot(english, japanese)).toBeGreaterThan(dot(english, other) + 0.05);
  });
});

describe.skipIf(!installed)('an embedder (the sentence model)', () => {
  it('joins the verdict: the signal says how the vector came and what it changed', async () => {
    await using embedder = await Embedder.open({ folder, onProblem: () => undefined });
    const exchange = exchangeOf({ lastUser: '小児の川崎病の診断基準と初期治療を説明してください' });
    const embedded = await embedder.find(exchange, 60_000);
    expect(embedded).toMatchObject({ result: 'computed' });
    const verdict = classifyRequest(exchange, { embedded });
    const [text, signal] = verdict.signals;
    expect(verdict.domain).toBe('medical');
    expect(signal).toEqual({ name: 'embedding', value: 'computed', share: expect.any(Number) as number });
    expect(verdict.score).toBeCloseTo(text!.share + signal!.share, 4);
    expect(text!.share).toBe(classifyRequest(exchange).signals[0]!.share);
    expect(await embedder.find(exchange, 0)).toMatchObject({ result: 'cached' });
  });

  it.each<readonly [string, () => string, RegExp]>([
    ['other weights', () => other((to) => writeFileSync(join(to, weightsName), 'E5S1')), /not the weights that the heads/],
    [
      'nothing that runs them',
      () => other((to) => symlinkSync(join(folder, weightsName), join(to, weightsName))),
      /no ONNX Runtime that runs here/,
    ],
  ])(
    'is refused with %s',
    async (_, make, message) => {
      const failed = Embedder.open({ folder: make(), onProblem: () => undefined });
      await expect(failed).rejects.toMatchObject({ code: 'SLUICE_EMBEDDING', message: expect.stringMatching(message) as string });
    },
    60_000,
  );
});

describe('heads', () => {
  it('read one output of a vector as their row says', () => {
    const heads = embeddingHeads();
    const { middle, steps, rows, bias } = heads.document;
    const vector = middle.map((value, at) => (at === 5 ? value + 1 : value));
    const row = new Int8Array(Buffer.from(rows[0]!, 'base64'));
    expect(heads.add(vector)[0]).toBeCloseTo(bias[0]! + steps[0]! * row[5]!, 9);
  });
});

function other(fill: (folder: string) => void): string {
  const to = mkdtempSync(join(scratch, 'folder-'));
  fill(to);
  return to;
}
