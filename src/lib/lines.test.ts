import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { limits } from './limits.ts';
import { linesOf, linesOfFile } from './lines.ts';

async function lines(chunks: readonly (Buffer | string)[]): Promise<string[]> {
  const found: string[] = [];
  for await (const line of linesOf(Readable.from(chunks))) found.push(line);
  return found;
}

it('cuts at LF and CRLF, and at no other separator that JSON may hold', async () => {
  expect(await lines([Buffer.from('{"a":"x\u2028y\u2029z\u0085"}\n{"b":1}\r\n\nlast')])).toEqual([
    '{"a":"x\u2028y\u2029z\u0085"}',
    '{"b":1}',
    '',
    'last',
  ]);
  expect(await lines([])).toEqual([]);
  expect(await lines(['a\n'])).toEqual(['a']);
});

it('joins lines and characters that chunks cut', async () => {
  const bytes = Buffer.from('{"ä":"😀"}\nnext\n');
  for (let at = 1; at < bytes.length; at++)
    expect(await lines([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(['{"ä":"😀"}', 'next']);
});

it('leaves the text of a line out that is longer than any that is written, and keeps the count of lines', async () => {
  const part = 'x'.repeat(1 << 20);
  const many = Array.from({ length: Math.ceil(limits.lineUnits / part.length) + 1 }, () => part);
  expect(await lines(['a\n', ...many, '\nb\n'])).toEqual(['a', '', 'b']);
});

it('reads the lines of a file, packed or not, and says of one that cannot be read which it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lines-'));
  try {
    const linesIn = async (name: string, bytes: Buffer | null): Promise<string[]> => {
      const file = join(folder, name);
      if (bytes !== null) writeFileSync(file, bytes);
      const found: string[] = [];
      for await (const line of linesOfFile(file)) found.push(line);
      return found;
    };
    expect(await linesIn('a', Buffer.from('1\n2\n'))).toEqual(['1', '2']);
    expect(await linesIn('a.gz', gzipSync('1\n2\n'))).toEqual(['1', '2']);
    const packed = gzipSync('1\n'.repeat(10_000));
    for (const [name, bytes] of [
      ['cut.gz', packed.subarray(0, packed.length - 20)],
      ['plain.gz', Buffer.from('1\n2\n')],
      ['absent', null],
      ['absent.gz', null],
    ] as const)
      await expect(linesIn(name, bytes)).rejects.toMatchObject({ code: 'SLUICE_FILE_UNREADABLE', where: join(folder, name) });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
