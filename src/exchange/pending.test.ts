import { describe, expect, it } from 'vitest';
import { PendingExchanges } from './pending.ts';

describe('pending exchanges', () => {
  it('hands an exchange out once', () => {
    const pending = new PendingExchanges<string>(() => undefined);
    pending.add('a', 'first', 0);
    expect(pending.take('a')).toBe('first');
    expect(pending.take('a')).toBeUndefined();
  });

  it('expires the oldest when it is full, and never holds more than its bound', () => {
    const expired: number[] = [];
    const pending = new PendingExchanges<number>((value) => expired.push(value), { max: 3 });
    for (let i = 0; i < 10; i++) pending.add(String(i), i, i);
    expect(pending.size).toBe(3);
    expect(expired).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('expires by age, oldest first, and leaves the young', () => {
    const expired: string[] = [];
    const pending = new PendingExchanges<string>((value) => expired.push(value), { maxAgeMs: 100 });
    pending.add('old', 'old', 0);
    pending.add('young', 'young', 60);
    pending.sweep(110);
    expect(expired).toEqual(['old']);
    expect(pending.take('young')).toBe('young');
  });

  it('expires everything on shutdown', () => {
    const expired: string[] = [];
    const pending = new PendingExchanges<string>((value) => expired.push(value));
    pending.add('a', 'a', 0);
    pending.add('b', 'b', 0);
    pending.clear();
    expect(expired).toEqual(['a', 'b']);
    expect(pending.size).toBe(0);
  });
});
