import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { limits } from '../lib/limits.ts';
import { MemoryGate } from './memory-gate.ts';

const mb = 1024 * 1024;
const all = limits.bodyCopies;

describe('memory for large bodies', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is refused when it is used up, and given again when a body leaves', () => {
    const gate = new MemoryGate(30 * mb * all * 2);
    const first = gate.enter(30 * mb)!;
    expect(gate.enter(30 * mb)).not.toBeNull();
    expect(gate.enter(30 * mb)).toBeNull();
    first.release();
    first.release();
    expect(gate.held).toBe(30 * mb * all);
    expect(gate.enter(30 * mb)).not.toBeNull();
  });

  it('counts a forwarded body once, until its answer begins', () => {
    const gate = new MemoryGate(100 * mb * all);
    const body = gate.enter(10 * mb)!;
    body.forwarded(true);
    expect(gate.held).toBe(10 * mb);
    body.release();
    body.forwarded(true);
    expect(gate.held).toBe(0);
  });

  it('forgets bodies whose answer is not observed, soon, and others that end without a word, later', () => {
    const gate = new MemoryGate(100 * mb * all);
    gate.enter(10 * mb)!.forwarded(false);
    gate.enter(10 * mb)!.forwarded(true);
    vi.advanceTimersByTime(30_000);
    expect(gate.held).toBe(10 * mb);
    vi.advanceTimersByTime(300_000);
    expect(gate.held).toBe(0);
  });

  it('never refuses small bodies, the only one, or where the memory is not known', () => {
    const gate = new MemoryGate(mb);
    expect(gate.enter(30 * mb)).not.toBeNull();
    expect(gate.enter(limits.largeBodyBytes - 1)).not.toBeNull();
    expect(gate.enter(limits.countedBodyBytes - 1)).not.toBeNull();
    expect(gate.held).toBe((30 * mb + limits.largeBodyBytes - 1) * all);
    const unknown = new MemoryGate(null);
    for (let count = 0; count < 1_000; count++) expect(unknown.enter(30 * mb)).not.toBeNull();
    expect(unknown.held).toBe(0);
  });

  it('counts a body of unknown length as a large one', () => {
    const gate = new MemoryGate(mb * all);
    expect(gate.enter(null)).not.toBeNull();
    expect(gate.held).toBe(limits.largeBodyBytes * all);
    expect(gate.enter(null)).toBeNull();
  });
});
