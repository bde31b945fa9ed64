import { limits } from '../../src/lib/limits.ts';
import { Rig } from './rig.ts';
import { sum, Traffic } from './traffic.ts';
import { Findings, sleep, until, type Drill } from './types.ts';

/** Sluice is stopped by the kernel, as on a machine that swaps or a virtual one that is moved, and goes on. */
export const pause: Drill = {
  name: 'pause',
  async run({ scale }) {
    const seconds = Math.max(1.5, 5 * scale);
    const findings = new Findings();
    const rig = await Rig.start();
    const rate = scale < 1 ? 150 : 400;
    const traffic = new Traffic({ url: rig.stack.url, rate }).start();
    const pid = rig.stack.sluicePid;
    try {
      await sleep(2_000);
      const stopped = performance.now();
      process.kill(pid, 'SIGSTOP');
      await sleep(seconds * 1_000);
      process.kill(pid, 'SIGCONT');
      const resumed = performance.now();
      const decides = await until(() => traffic.seen.at(-1)?.id != null && traffic.seen.at(-1)!.due > resumed, 10_000);
      const settled = performance.now();
      await sleep(3_000);
      await traffic.stop();
      const [before, during, after] = [
        sum(traffic.between(0, stopped)),
        sum(traffic.between(stopped, resumed)),
        sum(traffic.between(settled)),
      ];
      const all = sum(traffic.seen);
      const shed = await rig.metric('llm_proxy_passthrough_total', 'reason="overload"');
      const patience = await rig.envoyCounter('sluice_request.failure_mode_allowed');
      const broken = await rig.envoyCounter('cluster.sluice.http2.outbound_.*flood');
      const held = await rig.ledger();
      const lost = traffic.seen.filter(({ id }) => id !== null && !held.times.has(id)).length;
      findings.fact('p50, p99 ms before', `${before.p50.toFixed(1)}, ${before.p99.toFixed(1)}`);
      findings.fact('p50, p99 ms during', `${during.p50.toFixed(0)}, ${during.p99.toFixed(0)}`);
      findings.fact('p50, p99 ms afterwards', `${after.p50.toFixed(1)}, ${after.p99.toFixed(1)}`);
      findings.fact('passed undecided', `${all.undecided} of ${all.requests}`);
      findings.check(
        'failed requests',
        `${all.failed} of ${all.requests}${all.problems === '' ? '' : ` (${all.problems})`}`,
        '0',
        all.failed === 0,
      );
      findings.check(
        'undecided requests, and those that Sluice (overload) and Envoy (its patience) counted',
        `${all.undecided}, ${shed} + ${patience}`,
        'all counted',
        shed + patience >= all.undecided,
      );
      findings.check('decided requests without a record', lost, '0', lost === 0);
      findings.check('connections to Sluice that Envoy broke', broken, '0', broken === 0);
      findings.check('decides again', decides === null ? 'never' : `after ${decides.toFixed(0)} ms`, 'yes', decides !== null);
      findings.timing('undecided afterwards', `${after.undecided} of ${after.requests}`, '0', after.undecided === 0);
      findings.timing(
        'p99 during, ms',
        during.p99.toFixed(0),
        `at most two messages’ patience (${2 * limits.messageMs}) and 500`,
        during.p99 <= 2 * limits.messageMs + 500,
      );
      return findings.result(this.name, `SIGSTOP for ${seconds} s at ${rate}/s`);
    } finally {
      // A stopped process does not exit.
      if (rig.stack.sluicePid === pid) process.kill(pid, 'SIGCONT');
      await traffic.stop();
      await rig.stop();
    }
  },
};
