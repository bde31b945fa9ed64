import { Rig } from './rig.ts';
import { sum, Traffic } from './traffic.ts';
import { Findings, sleep, until, type Drill } from './types.ts';

/** Sluice is killed and started again, under load. */
export const kill: Drill = {
  name: 'kill',
  async run({ scale, say }) {
    const kills = Math.max(2, Math.round(100 * scale));
    const findings = new Findings();
    const rig = await Rig.start();
    const traffic = new Traffic({ url: rig.stack.url, rate: 100 }).start();
    try {
      let acknowledged = 0;
      const back: number[] = [];
      const starts: number[] = [];
      for (let round = 0; round < kills; round++) {
        // At a different point in the ledger's batches each time.
        await sleep(300 + ((round * 37) % 400));
        acknowledged += await rig.metric('llm_proxy_ledger_records_total', 'result="written"');
        await rig.stack.stopSluice('SIGKILL');
        await sleep(50 + ((round * 13) % 150));
        const begun = performance.now();
        await rig.stack.startSluice();
        const ready = performance.now();
        starts.push(ready - begun);
        await until(() => traffic.seen.at(-1)?.id != null && traffic.seen.at(-1)!.due > begun, 10_000);
        back.push(Math.max(0, (traffic.between(begun).find(({ id }) => id !== null)?.due ?? Infinity) - ready));
        if ((round + 1) % 10 === 0) say(`${round + 1} kills, ${traffic.sent} requests, ${acknowledged} records acknowledged`);
      }
      await sleep(1_000);
      await traffic.stop();
      const { requests, failed, undecided, problems } = sum(traffic.seen);
      const held = await rig.ledger();
      const ids = new Set(traffic.seen.flatMap(({ id }) => (id === null ? [] : [id])));
      const twice = [...held.times.values()].filter((times) => times > 1).length;
      findings.fact('passed undecided', `${undecided} of ${requests}`);
      findings.fact(
        'from start to ready, ms: median, slowest',
        `${starts.sort((a, b) => a - b)[Math.floor(kills / 2)]!.toFixed(0)}, ${starts.at(-1)!.toFixed(0)}`,
      );
      findings.fact('decisions whose record died with its process', [...ids].filter((id) => !held.times.has(id)).length);
      findings.check('failed requests', `${failed} of ${requests}${problems === '' ? '' : ` (${problems})`}`, '0', failed === 0);
      findings.check('answers and failures are all that was sent', `${requests} of ${traffic.sent}`, 'all', requests === traffic.sent);
      findings.check(
        'records that were acknowledged, and records in the ledger',
        `${acknowledged}, ${held.times.size}`,
        'no fewer',
        held.times.size >= acknowledged,
      );
      findings.check(
        'records twice, and more records than requests',
        `${twice}, ${Math.max(0, held.times.size - requests)}`,
        '0, 0',
        twice === 0 && held.times.size <= requests,
      );
      findings.check('the ledger’s chains', held.holds ? `hold, ${held.gaps} gaps named` : 'broken', 'hold', held.holds);
      findings.timing('first decision after ready, ms: slowest', Math.max(...back).toFixed(0), 'at most 2,000', Math.max(...back) <= 2_000);
      return findings.result(this.name, `${kills} × SIGKILL at 100/s, started again within 0.2 s`);
    } finally {
      await traffic.stop();
      await rig.stop();
    }
  },
};
