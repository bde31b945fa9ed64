import { load } from '../processes.ts';
import { show, spread, type Goal } from '../report.ts';
import { Stage, type Variant } from '../stage.ts';
import { inTurns, type Part, type RunOptions } from './types.ts';

const mb = 1_024 * 1_024;
const kinds = [
  { title: '5 MB bodies, 4/s, beside 1 KB at 300/s', what: 'a 5 MB body', bodyBytes: 5 * mb, rate: 4, burst: 1 },
  {
    title: '32 bodies of 1 MB at once, each second, beside 1 KB at 300/s',
    what: '32 concurrent 1 MB bodies',
    bodyBytes: mb,
    rate: 1,
    burst: 32,
  },
] as const;
const variants: readonly Variant[] = ['none', 'noop', 'sluice'];

/** What large bodies do to the requests beside them: the others' p99 with and without them, through Envoy alone and with Sluice. */
export const delay: Part = {
  id: 'delay',
  titles: kinds.map(({ title }) => title),
  async run(options) {
    const stage = await Stage.open(variants);
    try {
      const rows: string[][] = [];
      const goals: Goal[] = [];
      for (const kind of kinds.filter(({ title }) => title.includes(options.only))) {
        const delays = await measure(stage, kind, options);
        const own = spread(delays.sluice.map((value, round) => value - delays.none[round]!));
        rows.push([kind.title, show(spread(delays.none)), show(spread(delays.noop)), show(spread(delays.sluice)), show(own)]);
        goals.push({
          what: `${kind.what}: added to others' p99 beyond Envoy's own`,
          measured: own,
          digits: 1,
          unit: 'ms',
          bound: 'at most',
          limit: 5,
        });
        options.progress(kind.title);
      }
      return {
        tables: [{ header: ["ms added to others' p99", 'Envoy alone', 'no-op', 'Sluice', "Sluice beyond Envoy's own"], rows }],
        goals,
      };
    } finally {
      stage.close();
    }
  },
};

async function measure(
  stage: Stage,
  { bodyBytes, rate, burst }: (typeof kinds)[number],
  { rounds, seconds }: RunOptions,
): Promise<Record<'none' | 'noop' | 'sluice', number[]>> {
  const delays: Record<'none' | 'noop' | 'sluice', number[]> = { none: [], noop: [], sluice: [] };
  for (let round = -1; round < rounds; round++) {
    for (const variant of inTurns(['none', 'noop', 'sluice'] as const, round)) {
      const { url } = stage.place(variant);
      const others = { url, rate: 300, seconds: round === -1 ? Math.min(1, seconds) : seconds, bodyBytes: 1_024, sse: false };
      const calm = await load(others);
      const [busy] = await Promise.all([load(others), load({ ...others, bodyBytes, rate, burst })]);
      if (round >= 0) delays[variant].push(busy.p99 - calm.p99);
    }
  }
  return delays;
}
