import { expect, it } from 'vitest';
import { LineSplitter } from './lines.ts';

function lines(text: string, size: number, most?: number): { readonly found: string[]; readonly skipped: number } {
  const found: string[] = [];
  const splitter = new LineSplitter((line) => found.push(line.toString()), most);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) splitter.push(bytes.subarray(at, at + size));
  splitter.end();
  return { found, skipped: splitter.skipped };
}

it.each([1, 2, 5, 100])('finds each line, in pieces of %i bytes, and the last without its end', (size) => {
  expect(lines('{"a":1}\n\n{"b":"é"}\n{"c":3}', size)).toEqual({ found: ['{"a":1}', '{"b":"é"}', '{"c":3}'], skipped: 0 });
  expect(lines('{"a":1}\n', size).found).toEqual(['{"a":1}']);
});

it('skips a line that is too long, and goes on', () =>
  expect(lines(`${'x'.repeat(50)}\n{"b":2}\n`, 7, 20)).toEqual({ found: ['{"b":2}'], skipped: 1 }));
