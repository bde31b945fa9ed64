import { cpuOf, load } from '../processes.ts';
import { show, spread, type Goal, type Spread } from '../report.ts';
import { Stage, type Variant } from '../stage.ts';
import { inTurns, type Part } from './types.ts';

const title = '1 KB, SSE of 50 chunks 5 ms apart, 40 streams/s';
const variants = ['none', 'noop+copy', 'sluice', 'sluice, observe', 'sluice, protocol-manager'] as const satisfies readonly Variant[];
/** As long as it may take where the Protocol Manager works, and elsewhere, µs. */
const limits = { sluice: 90, 'sluice, observe': 90, 'sluice, protocol-manager': 40 } as const;
const waysOfSluice = ['sluice', 'sluice, observe', 'sluice, protocol-manager'] as const;
const rate = 40;
/** Between two chunks, ms: each is on its own way. */
const gapMs = 5;

/** How much later each chunk of a stream arrives: the provider writes its clock into it, the client reads it. */
export const streams: Part = {
  id: 'streams',
  titles: [title],
  async run({ rounds, seconds, progress }) {
    const stage = await Stage.open(variants);
    try {
      const chunkUs = new Map<Variant, number[]>(variants.map((variant) => [variant, []]));
      const cpu = new Map<Variant, number[]>(variants.map((variant) => [variant, []]));
      const failed = new Map<Variant, number>();
      for (let round = -1; round < rounds; round++) {
        for (const variant of inTurns(variants, round)) {
          const { url, processorPid } = stage.place(variant);
          const before = processorPid === null ? 0 : cpuOf(processorPid);
          const result = await load({
            url,
            rate,
            seconds: round === -1 ? Math.min(2, seconds) : seconds,
            bodyBytes: 1_024,
            sse: true,
            headers: { 'x-bench-gap': String(gapMs) },
          });
          if (round === -1) continue;
          chunkUs.get(variant)!.push(result.chunkUs ?? NaN);
          cpu.get(variant)!.push(processorPid === null ? 0 : (cpuOf(processorPid) - before) / result.sent / 1_000);
          failed.set(variant, (failed.get(variant) ?? 0) + result.failed);
        }
      }
      progress(title);
      const added = (variant: Variant): Spread => spread(chunkUs.get(variant)!.map((value, round) => value - chunkUs.get('none')![round]!));
      const names: Record<(typeof variants)[number], string> = {
        none: 'Envoy alone',
        'noop+copy': 'no-op with copies',
        sluice: 'Sluice (`collect`, the default)',
        'sluice, observe': 'Sluice (`observe`)',
        'sluice, protocol-manager': 'Sluice (`protocol-manager`)',
      };
      return {
        tables: [
          {
            header: [title, 'µs until a chunk is there', 'added µs a chunk', 'CPU ms a stream', 'failed'],
            rows: variants.map((variant) => [
              names[variant],
              show(spread(chunkUs.get(variant)!), 0),
              variant === 'none' ? '' : show(added(variant), 0),
              variant === 'none' ? '' : show(spread(cpu.get(variant)!), 1),
              String(failed.get(variant) ?? 0),
            ]),
          },
        ],
        goals: waysOfSluice.map((way): Goal => ({
          what: `time added to a chunk, ${names[way]}`,
          measured: added(way),
          digits: 0,
          unit: 'µs',
          bound: 'at most',
          limit: limits[way],
        })),
      };
    } finally {
      stage.close();
    }
  },
};
