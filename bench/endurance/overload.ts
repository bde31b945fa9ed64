import { limits } from '../../src/lib/limits.ts';
import { Rig } from './rig.ts';
import { capacity, sum, Traffic } from './traffic.ts';
import { Findings, sleep, until, type Drill } from './types.ts';

/**
 * Rules that search a long prompt for text that it does not contain: a decision takes milliseconds, so that Sluice is the bottleneck, not
 * the machine.
 */
const rules = Array.from({ length: 8 }, (_, index) => ({
  name: `slow-${index}`,
  when: `request.lastUser.matches("(?i)(zebra|quagga|okapi${index}).{0,20}[0-9]{4}$")`,
  then: { tier: 'complex' },
}));
const units = 30_000;

/** Three times as many requests as can be decided. */
export const overload: Drill = {
  name: 'overload',
  async run({ scale, say }) {
    const seconds = Math.max(4, 30 * scale);
    const findings = new Findings();
    const rig = await Rig.start({ defaults: { rules, cache: { mode: 'off' } } });
    const { url } = rig.stack;
    try {
      await capacity(url, { clients: 4, seconds: 2, units });
      const most = await capacity(url, { clients: 4, seconds: Math.max(2, 5 * scale), units });
      say(`capacity ${most.toFixed(0)}/s`);
      const [shedBefore, lateBefore] = [
        await rig.metric('llm_proxy_passthrough_total', 'reason="overload"'),
        await rig.envoyCounter('sluice_request.failure_mode_allowed'),
      ];
      const heavy = new Traffic({ url, rate: 3 * most, units, repeatEvery: 0, streamEvery: 0 }).start();
      await sleep(seconds * 1_000);
      await heavy.stop();
      const during = sum(heavy.seen);
      const shed = (await rig.metric('llm_proxy_passthrough_total', 'reason="overload"')) - shedBefore;
      const late = (await rig.envoyCounter('sluice_request.failure_mode_allowed')) - lateBefore;
      const light = new Traffic({ url, rate: most / 4, units, repeatEvery: 0, streamEvery: 0 }).start();
      const recovered = await until(() => light.seen.at(-1)?.id != null, 10_000);
      const settled = performance.now();
      await sleep(2_000);
      await light.stop();
      const after = sum(light.between(settled));
      const failed = during.failed + after.failed;
      findings.fact('capacity, decisions/s', most.toFixed(0));
      findings.fact('p50 ms during', during.p50.toFixed(0));
      findings.fact('decided under overload, requests/s', ((during.requests - during.failed - during.undecided) / seconds).toFixed(0));
      findings.check(
        'failed requests',
        `${failed} of ${during.requests + after.requests}${during.problems === '' ? '' : ` (${during.problems})`}`,
        '0',
        failed === 0,
      );
      // A request that Sluice sheds and a budget counts has a record, and so an id; one that Envoy gave up on has none.
      findings.check(
        'passed without a decision and an id; counted by Sluice (overload) and Envoy (its patience)',
        `${during.undecided} of ${during.requests}, ${shed} + ${late}`,
        'some counted, and at least those without an id',
        shed + late > 0 && shed + late >= during.undecided,
      );
      findings.check('decides again', recovered === null ? 'never' : `after ${recovered.toFixed(0)} ms`, 'yes', recovered !== null);
      findings.timing(
        'undecided afterwards, at a quarter of capacity',
        `${after.undecided} of ${after.requests}`,
        '0',
        after.undecided === 0,
      );
      findings.timing(
        'p99 during, ms',
        during.p99.toFixed(0),
        `at most two messages’ patience (${2 * limits.messageMs}) and 500`,
        during.p99 <= 2 * limits.messageMs + 500,
      );
      return findings.result(
        this.name,
        `${(3 * most).toFixed(0)}/s for ${seconds} s, where ${most.toFixed(0)}/s can be decided (30 KB prompts, slow rules)`,
      );
    } finally {
      await rig.stop();
    }
  },
};
