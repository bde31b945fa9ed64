import { Rig } from './rig.ts';
import { capacity, sum, Traffic } from './traffic.ts';
import { Findings, sleep, type Drill } from './types.ts';

const share = 0.7;

/** Ten minutes at 70% of what this machine can do. */
export const soak: Drill = {
  name: 'soak',
  async run({ seconds: asked, say }) {
    const seconds = asked ?? 600;
    const findings = new Findings();
    // A small cache is full, and evicts, before memory is looked at.
    const rig = await Rig.start({ serve: ['--cache-memory', '16'] });
    const { url } = rig.stack;
    try {
      await capacity(url, { clients: 32, seconds: Math.min(5, seconds / 6) });
      const most = await capacity(url, { clients: 32, seconds: Math.min(10, seconds / 6) });
      const rate = Math.round(most * share);
      say(`capacity ${most.toFixed(0)}/s with 32 clients; ${rate}/s for ${seconds} s`);
      const traffic = new Traffic({ url, rate }).start();
      const begun = performance.now();
      const samples: { readonly sluice: number; readonly envoy: number; readonly fds: number }[] = [];
      for (let second = 1; second <= seconds; second++) {
        await sleep(Math.max(0, begun + second * 1_000 - performance.now()));
        const sluice = rig.sluice();
        samples.push({ sluice: sluice.mb, envoy: rig.envoy().mb, fds: sluice.fds });
        if (second % 60 === 0) say(`${second} s: ${traffic.sent} sent, Sluice ${sluice.mb.toFixed(0)} MB, ${sluice.fds} descriptors`);
      }
      await traffic.stop();
      const all = sum(traffic.seen);
      // After a quarter of the time against the end.
      const window = Math.max(1, Math.floor(seconds / 10));
      const early = samples.slice(Math.floor(seconds / 4), Math.floor(seconds / 4) + window);
      const late = samples.slice(-window);
      const grown = (of: (sample: (typeof samples)[number]) => number): { readonly text: string; readonly ratio: number } => {
        const [from, to] = [median(early.map(of)), median(late.map(of))];
        return { text: `${from.toFixed(0)} → ${to.toFixed(0)}`, ratio: to / from };
      };
      const minute = Math.min(60_000, (seconds * 1_000) / 5);
      const first = sum(traffic.between(begun, begun + minute));
      const last = sum(traffic.between(begun + seconds * 1_000 - minute));
      const [sluice, envoy, fds] = [grown((sample) => sample.sluice), grown((sample) => sample.envoy), grown((sample) => sample.fds)];
      const unseen = await rig.metric('llm_proxy_pending_exchanges');
      const held = await rig.ledger();
      const ids = traffic.seen.flatMap(({ id }) => (id === null ? [] : [id]));
      findings.fact('capacity, requests/s', most.toFixed(0));
      findings.fact('rate, requests/s', rate);
      findings.fact('p50 ms, first and last minute', `${first.p50.toFixed(1)}, ${last.p50.toFixed(1)}`);
      findings.fact('undecided', all.undecided);
      findings.fact('slowest answer, ms', all.slowest.toFixed(0));
      findings.fact('decided requests whose answer was not seen', unseen);
      findings.check(
        'failed requests',
        `${all.failed} of ${all.requests}${all.problems === '' ? '' : ` (${all.problems})`}`,
        '0',
        all.failed === 0,
      );
      findings.check(
        'decided requests without a record, and records in all',
        `${ids.filter((id) => !held.times.has(id)).length}, ${held.times.size}`,
        '0',
        ids.every((id) => held.times.has(id)),
      );
      findings.timing('memory of Sluice after warm-up, MB', sluice.text, 'at most 5% more', sluice.ratio <= 1.05);
      findings.timing('memory of Envoy after warm-up, MB', envoy.text, 'at most 5% more', envoy.ratio <= 1.05);
      findings.timing('open descriptors of Sluice', fds.text, 'at most 5% more', fds.ratio <= 1.05);
      findings.timing(
        'p99 ms, first and last minute',
        `${first.p99.toFixed(1)}, ${last.p99.toFixed(1)}`,
        'at most 1.2 ×',
        last.p99 <= 1.2 * first.p99,
      );
      return findings.result(
        this.name,
        `${rate}/s (70% of ${most.toFixed(0)}) for ${seconds} s, one in ten streamed, one in ten asked before`,
      );
    } finally {
      await rig.stop();
    }
  },
};

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
