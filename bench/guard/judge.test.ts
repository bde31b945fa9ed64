import { describe, expect, it } from 'vitest';
import { judge } from './judge.ts';

const baseline = { 'bytes of objects, 1 KB': 50_000, 'CPU to the reference, 1 KB': 2 };

describe('what a request may cost', () => {
  it.each([
    ['the same', {}, true],
    ['a little more, as runs differ', { 'bytes of objects, 1 KB': 52_500, 'CPU to the reference, 1 KB': 2.9 }, true],
    ['more bytes', { 'bytes of objects, 1 KB': 54_000 }, false],
    ['more CPU', { 'CPU to the reference, 1 KB': 3.1 }, false],
    ['something that has no baseline', { 'bytes of objects, 2 KB': 1 }, false],
  ])('%s', (_, change, ok) => {
    const verdict = judge(baseline, { ...baseline, ...change });
    expect(verdict.ok).toBe(ok);
    expect(verdict.text.includes('--write-baseline')).toBe(!ok);
  });

  it('says when the baseline can be lowered', () => {
    expect(judge(baseline, { ...baseline, 'bytes of objects, 1 KB': 40_000 })).toMatchObject({
      ok: true,
      text: expect.stringContaining('keeps it so') as string,
    });
  });

  it('lets small figures differ by a page', () => {
    expect(judge({ 'bytes of buffers, 1 KB': 500 }, { 'bytes of buffers, 1 KB': 1_500 }).ok).toBe(true);
    expect(judge({ 'bytes of buffers, 1 KB': 500 }, { 'bytes of buffers, 1 KB': 1_700 }).ok).toBe(false);
  });
});
