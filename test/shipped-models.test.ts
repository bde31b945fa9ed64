import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
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
