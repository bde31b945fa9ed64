import { tableText } from '../report.ts';

/** Figures by name: bytes a request, or CPU a request as a multiple of the reference workload's. */
export type Figures = Readonly<Record<string, number>>;

/** How far above the baseline a figure may be. Bytes are steady within 2% on a busy machine; CPU on a machine that others use is not. */
export const shares = { bytes: 0.05, cpu: 0.5 } as const;
/** If a figure is this far below the baseline, lower the baseline: otherwise the gain could be lost unnoticed. */
const worthLowering = 0.15;
/** Bytes that a run may differ by whatever the share says: a page of a pool, a timer's turn. */
const slackBytes = 1_024;

const kindOf = (name: string): keyof typeof shares => (name.startsWith('CPU') ? 'cpu' : 'bytes');

/** Each figure beside its baseline. `ok` is false when one is too high, or has no baseline. */
export function judge(baseline: Figures, found: Figures): { readonly ok: boolean; readonly text: string } {
  let ok = true;
  let lower = false;
  const rows = Object.entries(found).map(([name, value]) => {
    const kind = kindOf(name);
    const show = (figure: number): string => (kind === 'bytes' ? Math.round(figure).toLocaleString('en-US') : figure.toFixed(2));
    const before = baseline[name];
    if (before === undefined) {
      ok = false;
      return [name, '–', show(value), '', '**no baseline**'];
    }
    const most = before * (1 + shares[kind]) + (kind === 'bytes' ? slackBytes : 0);
    const high = value > most;
    ok &&= !high;
    lower ||= value < before * (1 - worthLowering) && kind === 'bytes';
    return [name, show(before), show(value), show(most), high ? '**too high**' : ''];
  });
  const table = tableText({ header: ['a request', 'baseline', 'now', 'at most', ''], rows });
  const advice = ok
    ? lower
      ? 'Less than the baseline: `npm run bench -- guard --write-baseline` keeps it so.\n'
      : ''
    : 'A request costs more than it did. If that is meant, `npm run bench -- guard --write-baseline` raises the baseline; say why in the commit (docs/dev/benchmarks.md).\n';
  return { ok, text: `${table}\n${advice}` };
}
