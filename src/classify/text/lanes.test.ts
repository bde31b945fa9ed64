import fc from 'fast-check';
import { expect, it } from 'vitest';
import { outputs } from './heads.ts';
import { Lanes, mostSum } from './lanes.ts';

it('adds up rows exactly, whatever their signs, up to the largest sum', () => {
  const rows = 8;
  const row = fc.array(fc.integer({ min: -Math.floor(mostSum / 40), max: Math.floor(mostSum / 40) }), {
    minLength: outputs,
    maxLength: outputs,
  });
  fc.assert(
    fc.property(
      fc.array(row, { minLength: rows, maxLength: rows }),
      fc.array(fc.nat(rows - 1), { maxLength: 40 }),
      row,
      (table, places, before) => {
        const lanes = new Lanes(rows);
        for (const [at, values] of table.entries()) lanes.put(at, Int32Array.from(values));
        const sums = Int32Array.from(before);
        lanes.addTo(sums, Int32Array.from(places), places.length);
        const expected = before.map((value, k) => places.reduce((sum, place) => sum + table[place]![k]!, value));
        expect([...sums]).toEqual(expected);
      },
    ),
  );
});

it('holds the extremes of one prompt: every word of the longest ask, each with the largest weight', () => {
  const lanes = new Lanes(1);
  lanes.put(0, new Int32Array(outputs).fill(-127));
  const sums = new Int32Array(outputs);
  lanes.addTo(sums, new Int32Array(1000), 1000);
  expect([...sums]).toEqual(new Array(outputs).fill(-127_000));
});
