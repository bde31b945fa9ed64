import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Newest } from './newest.ts';

describe('the newest entries', () => {
  it('are those of a map from which the oldest is taken when there are too many', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), fc.nat()), { maxLength: 40 }),
        (max, entries) => {
          const newest = new Newest<number>(max);
          const model = new Map<string, number>();
          for (const [key, value] of entries) {
            newest.set(key, value);
            if (!model.has(key) && model.size === max) model.delete([...model.keys()][0]!);
            model.set(key, value);
            expect([...newest.values()]).toEqual([...model.values()]);
            expect([newest.size, newest.get(key), newest.has(key)]).toEqual([model.size, value, true]);
          }
        },
      ),
    );
  });
});
