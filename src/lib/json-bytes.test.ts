import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../test/support/fuzz.ts';
import { JsonBytes } from './json-bytes.ts';

const writer = new JsonBytes();
const written = (value: unknown): string => writer.write(value).toString();

describe('JSON as bytes', () => {
  it('is what JSON.stringify writes', () => {
    const text = fc.string({ unit: fc.nat({ max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, key: text, values: [text, fc.double(), fc.integer(), fc.boolean()] }), (value) => {
        expect(written({ value })).toBe(JSON.stringify({ value }));
      }),
      runs(300),
    );
  });

  it('writes decimals as JSON.stringify does, however they were calculated', () => {
    const decimal = fc.tuple(fc.maxSafeNat(), fc.nat(20)).map(([digits, power]) => digits / 10 ** power);
    const sum = fc.tuple(decimal, decimal).map(([a, b]) => a + b);
    fc.assert(
      fc.property(fc.array(fc.oneof(decimal, sum, fc.double(), fc.float())), (values) => {
        expect(written(values)).toBe(JSON.stringify(values));
      }),
      runs(500),
    );
  });

  it.each([
    ['whole numbers, fractions and what is no number', [0, -0, 1, -1, 10, 2147483647, 2147483648, 1e21, 0.1, 5e-7, NaN, Infinity]],
    ['characters that are escaped', '"\\/\b\t\n\f\r\u0000\u001f\u007f\u2028'],
    ['characters of two to four bytes, and halves of pairs', 'é€😀\ud83d \ude00\ud83d'],
    ['what is left out of objects and null in lists', { a: undefined, b: [undefined, () => 1], c: Symbol('s'), d: null }],
    ['dates, and objects that say themselves what they are', { at: new Date(0), own: { toJSON: () => 'own' } }],
    ['many bytes', Array.from({ length: 5_000 }, (_, at) => ({ at, text: 'x'.repeat(at % 90) }))],
  ])('writes %s', (_, value) => {
    expect(written(value)).toBe(JSON.stringify(value));
  });

  it('copies its bytes, and forgets them with the next value', () => {
    const target = Buffer.alloc(12, '-');
    writer.write({ a: 'é' }).copyTo(target, 1);
    expect(target.toString()).toBe('-{"a":"é"}-');
    expect(writer.write(1).length).toBe(1);
  });
});
