import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { Embedder, type EmbedderOptions } from './embedder.ts';
import type { ThreadOptions, ToEmbedding } from './thread.ts';

const asks = (lastUser: string): { lastUser: string; lastIsToolResult: boolean } => ({ lastUser, lastIsToolResult: false });
const addition = Float64Array.of(1, 2, 3);
const joined = (result: string): object => ({ result, addition });
const alone = (result: string): object => ({ result, addition: null });

/** An embedder whose thread answers when the test says so. */
class Scripted {
  readonly sent: ToEmbedding[] = [];
  readonly problems: unknown[] = [];
  starts = 0;
  fails = false;
  #thread: ThreadOptions | null = null;

  open(more: Partial<EmbedderOptions> = {}): Promise<Embedder> {
    return Embedder.open({
      folder: 'none',
      onProblem: (error) => this.problems.push(error),
      start: (thread) => {
        this.starts++;
        if (this.fails) return Promise.reject(new Error('no'));
        this.#thread = thread;
        return Promise.resolve({ send: (message) => this.sent.push(message), close: () => Promise.resolve() });
      },
      restartMs: 1,
      ...more,
    });
  }

  refuse(): void {
    this.#thread!.onDone(this.sent.at(-1)!.number, null);
  }

  answer(): void {
    this.#thread!.onDone(this.sent.at(-1)!.number, addition);
  }

  die(): void {
    this.#thread!.onEnd(new Error('gone'));
  }
}

describe('a vector', () => {
  it('serves the next requests that ask the same, whatever the numbers and spaces', async () => {
    const script = new Scripted();
    const embedder = await script.open();
    expect(embedder.find(asks('Sum of invoice 17 of 3.4.2026?'), 0)).toEqual(alone('late'));
    expect(embedder.find(asks('sum of  invoice 18 of 30.11.2026?'), 0)).toEqual(alone('late'));
    expect(script.sent).toHaveLength(1);
    script.answer();
    expect(embedder.find(asks('Sum of invoice 99 of 1.1.2027?'), 0)).toEqual(joined('cached'));
    expect(embedder.find(asks('Sum of receipt 99 of 1.1.2027?'), 0)).toEqual(alone('late'));
    await embedder.close();
  });

  it('is waited for by all that ask it meanwhile, and computed once', async () => {
    const script = new Scripted();
    const embedder = await script.open();
    const both = [embedder.find(asks('why?'), 60_000), embedder.find(asks('WHY?'), 60_000)];
    script.answer();
    expect([await both[0], await both[1]]).toEqual([joined('computed'), joined('computed')]);
    expect(script.sent).toHaveLength(1);
    await embedder.close();
  });

  it('is not waited for longer than the policy says, and serves the next request', async () => {
    const script = new Scripted();
    const embedder = await script.open();
    expect(await embedder.find(asks('why?'), 1)).toEqual(alone('late'));
    script.answer();
    expect(embedder.find(asks('why?'), 1)).toEqual(joined('cached'));
    await embedder.close();
  });

  it('is not made of a tool result or of nothing', async () => {
    const script = new Scripted();
    const embedder = await script.open();
    expect(embedder.find({ lastUser: '{"ok":true}', lastIsToolResult: true }, 0)).toBeNull();
    expect(embedder.find(asks(' \n'), 0)).toBeNull();
    expect(script.sent).toEqual([]);
    await embedder.close();
  });

  it('is made of the beginning and the end of a long prompt', async () => {
    const script = new Scripted();
    const embedder = await script.open();
    void embedder.find(asks(`Summarise:${'x'.repeat(1_000_000)} in one sentence`), 0);
    expect(script.sent[0]!.prompt).toMatch(/^Summarise:x+\nx+ in one sentence$/);
    expect(script.sent[0]!.prompt.length).toBeLessThan(700);
    await embedder.close();
  });
});

describe('a prompt that the model cannot read', () => {
  it('goes on without, and is tried again', async () => {
    const script = new Scripted();
    const embedder = await script.open();
    const waiting = embedder.find(asks('odd'), 60_000);
    script.refuse();
    expect(await waiting).toEqual(alone('failed'));
    expect(embedder.find(asks('odd'), 0)).toEqual(alone('late'));
    await embedder.close();
  });
});

describe('bounds', () => {
  it('of the prompts that wait: further ones go on at once', async () => {
    const script = new Scripted();
    const embedder = await script.open();
    for (let i = 0; i < limits.embeddingsWaiting; i++) void embedder.find(asks(`question ${'x'.repeat(i + 1)}`), 0);
    expect(embedder.find(asks('one more'), 60_000)).toEqual(alone('busy'));
    expect(embedder.find(asks('question x'), 0)).toEqual(alone('late'));
    expect(script.sent).toHaveLength(limits.embeddingsWaiting);
    await embedder.close();
  });

  it('of what is kept: the oldest leave', async () => {
    const script = new Scripted();
    const embedder = await script.open({ entries: 2 });
    for (const ask of ['one', 'two', 'three']) {
      void embedder.find(asks(ask), 0);
      script.answer();
    }
    expect(embedder.size).toBe(2);
    expect(embedder.find(asks('one'), 0)).toEqual(alone('late'));
    expect(embedder.find(asks('three'), 0)).toEqual(joined('cached'));
    await embedder.close();
  });
});

describe('a thread that ends', () => {
  it('fails no request: what is kept still serves, and it is started again until it runs', async () => {
    const script = new Scripted();
    const embedder = await script.open();
    void embedder.find(asks('known'), 0);
    script.answer();
    const waiting = embedder.find(asks('new'), 60_000);
    script.fails = true;
    script.die();
    expect(await waiting).toEqual(alone('failed'));
    expect(embedder.find(asks('other'), 60_000)).toEqual(alone('failed'));
    expect(embedder.find(asks('known'), 0)).toEqual(joined('cached'));
    while (script.starts < 3) await pause(1);
    script.fails = false;
    const before = script.starts;
    while (script.starts === before) await pause(1);
    await pause(1);
    expect(embedder.find(asks('other'), 0)).toEqual(alone('late'));
    expect(script.problems.length).toBeGreaterThanOrEqual(3);
    await embedder.close();
  });

  it('is not started again once it was closed', async () => {
    const script = new Scripted();
    const embedder = await script.open();
    const waiting = embedder.find(asks('new'), 60_000);
    await embedder.close();
    expect(await waiting).toEqual(alone('failed'));
    script.die();
    await pause(5);
    expect(script.starts).toBe(1);
  });
});

describe('a folder without a model', () => {
  it('is refused when it is opened', async () => {
    await expect(Embedder.open({ folder: '/none', onProblem: () => undefined })).rejects.toMatchObject({
      code: 'SLUICE_EMBEDDING',
      where: '/none',
      message: expect.stringContaining('The weights of the sentence model cannot be read') as string,
    });
  });
});
