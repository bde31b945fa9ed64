import { afterAll, describe, expect, it, vi } from 'vitest';
import type { Recognition } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';
import { BodyReader, readHere, type ReadBody } from './body-reader.ts';

const chat: Recognition & { readonly kind: 'readable' } = {
  kind: 'readable',
  api: 'openai-chat',
  operation: 'generate',
  pathModel: null,
  stream: null,
};
const bodyOf = (bytes: number, end = '}'): Buffer =>
  Buffer.from(`{"model":"m","metadata":{"a": 1},"messages":[{"role":"user","content":"${'x'.repeat(bytes)}"}]${end}`);

const reader = new BodyReader();
afterAll(() => reader.close());

/** Reads it on the thread, which the first tries start. */
function elsewhere(body: () => Buffer): Promise<ReadBody> {
  return vi.waitFor(
    () => {
      const read = reader.read(chat, body(), { members: true, patterns: [] });
      if (!(read instanceof Promise)) throw new Error('the thread has not begun');
      return read;
    },
    { timeout: 30_000, interval: 50 },
  );
}

describe('the reader of bodies', () => {
  it('reads small ones at once', () => {
    const body = bodyOf(100);
    expect(reader.read(chat, body, { members: true, patterns: [] })).toEqual(readHere(chat, body, { members: true, patterns: [] }));
  });

  it.each([
    ['a body', (): Buffer => bodyOf(limits.inlineBodyBytes)],
    ['what is no JSON', (): Buffer => bodyOf(limits.inlineBodyBytes, '')],
    // Messages leave a few bytes before and behind a body; what shares its memory with more is copied.
    [
      'a part of a message',
      (): Buffer => Buffer.concat([Buffer.alloc(20), bodyOf(limits.inlineBodyBytes), Buffer.alloc(9)]).subarray(20, -9),
    ],
    ['a part of something larger', (): Buffer => Buffer.concat([Buffer.alloc(50_000), bodyOf(limits.inlineBodyBytes)]).subarray(50_000)],
  ])('reads %s on its thread as it would here, and gives the same bytes back', async (_, body) => {
    const here = readHere(chat, body(), { members: true, patterns: [] });
    const there = await elsewhere(body);
    expect(there.read).toEqual(here.read);
    expect(there.members).toEqual(here.members);
    expect(there.body.equals(here.body)).toBe(true);
  });

  it('hands its own memory over instead of copying it, and leaves what others hold', async () => {
    await elsewhere(() => bodyOf(limits.inlineBodyBytes));
    const own = bodyOf(limits.inlineBodyBytes);
    const shared = Buffer.concat([Buffer.alloc(50_000, 'y'), own]);
    const both = [
      reader.read(chat, own, { members: false, patterns: [] }),
      reader.read(chat, shared.subarray(50_000), { members: false, patterns: [] }),
    ];
    expect([own.length, shared.length]).toEqual([0, 50_000 + bodyOf(limits.inlineBodyBytes).length]);
    for (const each of both) expect((await each).read.ok).toBe(true);
    expect(shared.subarray(0, 50_000).equals(Buffer.alloc(50_000, 'y'))).toBe(true);
  });

  it('holds a bounded number of bodies on the way', async () => {
    await elsewhere(() => bodyOf(limits.inlineBodyBytes));
    const read = Array.from({ length: limits.bodiesBeingRead + 3 }, () =>
      reader.read(chat, bodyOf(limits.inlineBodyBytes), { members: false, patterns: [] }),
    );
    expect(read.filter((each) => !(each instanceof Promise))).toHaveLength(3);
    for (const each of read) expect((await each).read.ok).toBe(true);
  });
});
