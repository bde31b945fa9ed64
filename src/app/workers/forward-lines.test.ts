import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { forwardLines } from './forward-lines.ts';

it('writes lines of several sources whole, in whatever pieces they come', async () => {
  const [one, other, to] = [new PassThrough(), new PassThrough(), new PassThrough()];
  forwardLines(one, to);
  forwardLines(other, to);
  for (const [source, piece] of [
    [one, 'a1'],
    [other, 'b1\nb'],
    [one, '-\na2\na3'],
    [other, '2\n'],
    [one, ' end'],
  ] as const) {
    source.write(piece);
    await new Promise((resolve) => void setImmediate(resolve));
  }
  one.end();
  other.end();
  await new Promise((resolve) => void setImmediate(resolve));
  to.end();
  expect(await text(to)).toBe('b1\na1-\na2\nb2\na3 end\n');
});

it('holds no more of a line than its limit', async () => {
  const [from, to] = [new PassThrough({ highWaterMark: 1 }), new PassThrough()];
  forwardLines(from, to);
  from.write('x'.repeat(limits.workerLineBytes));
  from.write('y');
  from.end();
  await new Promise((resolve) => void setImmediate(resolve));
  to.end();
  expect((await text(to)).length).toBeLessThanOrEqual(limits.workerLineBytes + 2);
});
