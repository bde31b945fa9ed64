import fc from 'fast-check';
import { expect, it } from 'vitest';
import { JsonBytes } from './json-bytes.ts';
import { NewestJson } from './newest-json.ts';

const value = fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), text: fc.string({ maxLength: 60, unit: 'grapheme' }) });
type Value = typeof value extends fc.Arbitrary<infer T> ? T : never;

it('keeps the newest, whole and in order, within its number and its bytes', () => {
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 60 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 40, max: 400 }),
      (added, max, bytes) => {
        const json = new JsonBytes();
        const newest = new NewestJson<Value>(max, bytes);
        for (const [at, one] of added.entries()) {
          newest.add(one.id, json.write(one));
          const found = [...newest.values()];
          const fits = json.length <= bytes;
          if (fits) expect(newest.get(one.id)).toEqual(one);
          // Each is the last of its id, and none is missing between the newest and the oldest that is kept.
          const last = added
            .slice(0, at + 1)
            .reverse()
            .filter((other) => Buffer.byteLength(JSON.stringify(other)) <= bytes);
          const distinct = last.filter((other, index) => last.findIndex(({ id }) => id === other.id) === index);
          expect(found).toEqual(distinct.slice(0, found.length));
          expect(newest.size).toBe(found.length);
          expect(found.length).toBeLessThanOrEqual(max);
          const size = found.reduce((sum, other) => sum + Buffer.byteLength(JSON.stringify(other)), 0);
          expect(size).toBeLessThanOrEqual(bytes);
        }
      },
    ),
  );
});

it('keeps as many as fit', () => {
  const json = new JsonBytes();
  const newest = new NewestJson<number>(10, 100);
  for (let at = 0; at < 30; at++) newest.add(String(at), json.write(1_000_000_000 + at));
  expect([...newest.values()]).toEqual(Array.from({ length: 10 }, (_, at) => 1_000_000_029 - at));
  expect(newest.get('19')).toBeNull();
});

it('passes over values that do not hold a text', () => {
  const json = new JsonBytes();
  const newest = new NewestJson<{ a: string }>(10, 1_000);
  for (const a of ['x', 'ü"', 'z']) newest.add(a, json.write({ a }));
  expect([...newest.values([JSON.stringify('ü"')])]).toEqual([{ a: 'ü"' }]);
});
