import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Rig } from './rig.ts';
import { sum, Traffic } from './traffic.ts';
import { Findings, skipped, sleep, until, type Drill } from './types.ts';

/** The ledger's disk is full, and has room again. */
export const disk: Drill = {
  name: 'disk',
  async run({ scale }) {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-small-disk-'));
    const mount = (...args: string[]): boolean => spawnSync('mount', [...args, folder], { stdio: 'ignore' }).status === 0;
    if (!mount('-t', 'tmpfs', '-o', 'size=2m', 'none')) {
      rmSync(folder, { recursive: true });
      return skipped(this.name, 'file systems may not be mounted here');
    }
    const findings = new Findings();
    const file = join(folder, 'ledger.db');
    try {
      const rig = await Rig.start({ serve: ['--ledger', file] });
      const traffic = new Traffic({ url: rig.stack.url, rate: 200 }).start();
      try {
        const full = await until(async () => (await rig.metric('llm_proxy_ledger_failures_total')) > 0, 30_000);
        await sleep(10_000 * scale);
        const waited = await rig.metric('llm_proxy_ledger_waiting_records');
        const failures = await rig.metric('llm_proxy_ledger_failures_total');
        mount('-o', 'remount,size=256m');
        const room = performance.now();
        const caughtUp = await until(async () => (await rig.metric('llm_proxy_ledger_waiting_records')) < 400, 20_000);
        await sleep(1_000);
        await traffic.stop();
        const all = sum(traffic.seen);
        const after = sum(traffic.between(room));
        const dropped = await rig.metric('llm_proxy_ledger_records_total', 'result="dropped"');
        const held = await rig.ledger(file);
        const lost = traffic.seen.filter(({ id }) => id !== null && !held.times.has(id)).length;
        findings.fact('writes that failed', failures);
        findings.fact('records that waited for room', waited);
        findings.fact('p99 ms, all and after there was room', `${all.p99.toFixed(1)}, ${after.p99.toFixed(1)}`);
        findings.check(
          'the disk was full',
          full === null ? 'never' : `after ${(full / 1_000).toFixed(1)} s`,
          'yes',
          full !== null && waited > 0,
        );
        findings.check(
          'failed requests',
          `${all.failed} of ${all.requests}${all.problems === '' ? '' : ` (${all.problems})`}`,
          '0',
          all.failed === 0,
        );
        findings.check(
          'caught up when there was room',
          caughtUp === null ? 'never' : `after ${(caughtUp / 1_000).toFixed(1)} s`,
          'yes',
          caughtUp !== null,
        );
        findings.check(
          'decided requests without a record, and those counted as dropped',
          `${lost}, ${dropped}`,
          'no more than counted',
          lost <= dropped,
        );
        findings.check('the ledger’s chain', held.holds ? 'holds' : 'broken', 'holds', held.holds);
        return findings.result(
          this.name,
          `the ledger on a file system of 2 MB at 200/s, made larger ${(10 * scale).toFixed(0)} s after it was full`,
        );
      } finally {
        await traffic.stop();
        await rig.stop();
      }
    } finally {
      spawnSync('umount', [folder]);
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
