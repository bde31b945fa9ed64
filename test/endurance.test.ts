import { describe, expect, it } from 'vitest';
import { clock } from '../bench/endurance/clock.ts';
import { disk } from '../bench/endurance/disk.ts';
import { largeBodiesInSidecar } from '../bench/endurance/large-bodies.ts';
import { loris } from '../bench/endurance/loris.ts';
import { overload } from '../bench/endurance/overload.ts';
import { pause } from '../bench/endurance/pause.ts';
import type { Drill } from '../bench/endurance/types.ts';

/** A short form of each; how long things take and how much memory they need is for a quiet machine and the command. */
const short: readonly (readonly [Drill, number])[] = [
  [pause, 0.1],
  [disk, 0.2],
  [clock, 0.1],
  [loris, 0.1],
  [overload, 0.1],
  [largeBodiesInSidecar, 0.1],
];

describe('a gateway that has everything on', () => {
  it.for(short.map(([drill, scale]) => ({ name: drill.name, drill, scale })))('holds: $name', async ({ drill, scale }, context) => {
    const said: string[] = [];
    const { checks, facts, skipped } = await drill.run({ seconds: null, scale, say: (line) => said.push(line) });
    if (skipped !== null) context.skip(skipped);
    expect(
      checks.filter(({ ok, timing }) => !ok && !timing),
      JSON.stringify({ facts, said }),
    ).toEqual([]);
  });
});
