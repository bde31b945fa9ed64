import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { embeddingHeads } from '../src/classify/embedding/heads.ts';
import { outputs } from '../src/classify/text/heads.ts';
import { decodeTextModel, textModelFile } from '../src/classify/text/file.ts';
import { decodeModel, defaultModelFile } from '../src/router/model/file.ts';
import { decodeQuality, defaultQualityFile } from '../src/router/quality/file.ts';

// At the start the headers of these files are taken as they are: here they are checked as those of anybody's files.
it.each([
  [textModelFile, decodeTextModel],
  [defaultModelFile, decodeModel],
  [defaultQualityFile, decodeQuality],
] as const)('%s fits the schema of its kind', (file, decode) => {
  const bytes = readFileSync(file);
  expect(decode(bytes, 'a file of somebody').version).toBe(decode(bytes, file).version);
  const damaged = Buffer.from(bytes.toString('latin1').replace('"format":', '"formed":'), 'latin1');
  expect(() => decode(damaged, 'a file of somebody')).toThrow('The header does not fit');
});

it('the heads of the sentence model have a row for each output of the text model', () => {
  const { document } = embeddingHeads();
  expect([document.keep.length, document.bias.length, document.steps.length, document.middle.length]).toEqual([
    outputs,
    outputs,
    outputs,
    document.width,
  ]);
  expect(document.rows.map((row) => Buffer.from(row, 'base64').length)).toEqual(document.rows.map(() => document.width));
  expect(document.weights).toMatch(/^[0-9a-f]{64}$/);
  expect(embeddingHeads().add(document.middle)).toEqual(Float64Array.from(document.bias));
});
