import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ByteLines } from './byte-lines.ts';
import { InternedTexts } from './interned.ts';

it('reads bytes as latin1, known or not', () => {
  const interned = new InternedTexts();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      for (let times = 0; times < 2; times++)
        expect(interned.latin1(Buffer.from(bytes), 0, bytes.length)).toBe(Buffer.from(bytes).toString('latin1'));
    }),
  );
});

it('gathers texts as one batch of bytes after the other', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.string({ maxLength: 100, unit: 'binary' }))), (batches) => {
      const lines = new ByteLines(16);
      const took = batches.map((texts) => {
        for (const text of texts) lines.add(text);
        return lines.take();
      });
      expect(took.map(String)).toEqual(batches.map((texts) => String(Buffer.from(texts.join('')))));
    }),
  );
});
