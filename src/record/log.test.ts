import { describe, expect, it, vi } from 'vitest';
import { record } from '../../test/support/decision.ts';
import { limits } from '../lib/limits.ts';
import { BatchedLines } from './batched.ts';
import { createLogger, logSink } from './log-sink.ts';
import { Repeats } from './repeats.ts';
import type { ExchangeRecord } from './types.ts';

type Line = Record<string, unknown> & { readonly record?: ExchangeRecord };

function collected(level = 'info') {
  const lines: Line[] = [];
  const destination = { write: (text: string) => void lines.push(JSON.parse(text) as Line) };
  return { logger: createLogger(level, destination), destination, lines };
}

describe('the log', () => {
  it('says more or less from one moment to the next', () => {
    const { logger, lines } = collected();
    logger.debug({ reason: 'x' }, 'first');
    logger.level = 'debug';
    logger.debug({ reason: 'x' }, 'second');
    logger.level = 'silent';
    logger.error({}, 'third');
    expect(lines.map(({ msg, level }) => [msg, level])).toEqual([['second', 'debug']]);
  });

  it('writes of what a parser says only where it was said: it quotes the text', () => {
    const { logger, lines } = collected();
    const caught = (work: () => unknown): unknown => {
      try {
        return work();
      } catch (error) {
        return error;
      }
    };
    logger.error({ err: caught(() => JSON.parse('{"a": secret text}')) }, 'one');
    logger.error({ err: new TypeError('x is not a function') }, 'two');
    expect(JSON.stringify(lines[0])).not.toContain('secret');
    expect(lines[0]!['err']).toMatchObject({ type: 'SyntaxError', stack: expect.stringMatching(/^ {4}at JSON\.parse/) as string });
    expect(lines[1]!['err']).toMatchObject({ type: 'TypeError', message: 'x is not a function' });
  });

  it('holds back a warning that comes again and again, and counts it', () => {
    const { logger, lines } = collected();
    for (let times = 0; times < limits.logRepeats + 5; times++) logger.error({ times }, 'the same');
    logger.error({}, 'another');
    for (let times = 0; times < limits.logRepeats + 5; times++) logger.info({}, 'no warning');
    expect(lines.filter(({ msg }) => msg === 'the same')).toHaveLength(limits.logRepeats);
    expect(lines.filter(({ msg }) => msg === 'another')).toHaveLength(1);
    expect(lines.filter(({ msg }) => msg === 'no warning')).toHaveLength(limits.logRepeats + 5);

    const repeats = new Repeats();
    const said = Array.from({ length: limits.logRepeats + 3 }, () => repeats.held('m', 0));
    expect(said).toEqual([...Array<number>(limits.logRepeats).fill(0), null, null, null]);
    expect(repeats.held('m', limits.logRepeatMs - 1)).toBeNull();
    expect(repeats.held('m', limits.logRepeatMs)).toBe(4);
    expect(repeats.held('m', limits.logRepeatMs)).toBe(0);
  });

  it('has a share of the exchanges that went well, and all others', () => {
    const kept = collected();
    const { lines } = kept;
    const sink = logSink(kept, 0.25);
    const id = (end: string): string => `018f2c6e-0000-7000-8000-0000${end}`;
    for (const end of ['00000000', '3fffffff', '40000000', 'ffffffff']) sink.record({ ...record(), id: id(end), outcome: 'complete' });
    sink.record({ ...record(), id: id('fffffffe'), outcome: 'cut' });
    expect(lines.map((line) => [line.record!.id.slice(-8), line['share']])).toEqual([
      ['00000000', 0.25],
      ['3fffffff', 0.25],
      ['fffffffe', 0.25],
    ]);
    const none = collected();
    logSink(none, 0).record({ ...record(), id: id('00000000'), outcome: 'complete' });
    expect(none.lines).toEqual([]);
    const all = collected();
    logSink(all).record({ ...record(), id: id('ffffffff') });
    expect(all.lines.map((line) => line['share'])).toEqual([undefined]);
    all.logger.level = 'warn';
    logSink(all).record({ ...record(), id: id('fffffffe') });
    expect(all.lines).toHaveLength(1);
  });

  it('is written in batches, whole lines in their order', () => {
    vi.useFakeTimers();
    try {
      const writes: string[] = [];
      const batched = new BatchedLines({ write: (lines: Buffer) => void writes.push(lines.toString()) });
      for (let line = 0; line < 3; line++) batched.write(`${line}\n`);
      expect(writes).toEqual([]);
      vi.advanceTimersByTime(1_000);
      expect(writes).toEqual(['0\n1\n2\n']);
      const long = `${'x'.repeat(40_000)}\n`;
      batched.write(long);
      batched.write(long);
      batched.write('end\n');
      expect(writes.slice(1)).toEqual([long + long]);
      batched.flush();
      batched.flush();
      expect(writes.slice(2)).toEqual(['end\n']);
    } finally {
      vi.useRealTimers();
    }
  });
});
