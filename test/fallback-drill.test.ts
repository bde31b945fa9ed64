import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cells, FallbackDrill } from '../bench/fallback/drill.ts';

// Every trigger × streamed or not × the same API or another, for an app of each API; docs/fallback-drills.md is made of the same cells.
const drill = new FallbackDrill();
beforeAll(() => drill.start());
afterAll(() => drill.stop());

describe.each([...new Set(cells.map(({ name }) => name))])('%s', (name) => {
  it.each(
    cells
      .filter((cell) => cell.name === name)
      .map((cell) => [cell.family, cell.stream ? 'streamed' : 'whole', cell.crossing ? 'crossing' : 'same API', cell] as const),
  )('%s, %s, %s', async (_family, _stream, _to, cell) => {
    expect(await drill.play(cell)).toEqual([]);
  });
});
