import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runs } from '../../test/support/fuzz.ts';
import { isoTime } from './iso-time.ts';

it('is what Date writes, also within one second and before 1970', () => {
  const most = 8.64e15;
  const near = fc.nat(5_000).map((ms) => 1_795_264_208_384 + ms);
  fc.assert(
    fc.property(fc.array(fc.oneof(near, fc.integer({ min: -most, max: most }), fc.integer({ min: -5_000, max: 5_000 }))), (times) => {
      for (const ms of times) expect(isoTime(ms)).toBe(new Date(ms).toISOString());
    }),
    runs(200),
  );
  expect(() => isoTime(NaN)).toThrow(RangeError);
});
