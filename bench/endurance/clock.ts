import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Rig } from './rig.ts';
import { ask, chat, sum, Traffic } from './traffic.ts';
import { Findings, skipped, sleep, type Drill } from './types.ts';

/** Debian's libfaketime: `sh scripts/setup.sh faketime`. */
const library = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file));

const hour = 3_600;
/** Clock offsets in order, in seconds from the true time. */
const jumps = [hour, 0, -hour, 0, 25 * hour, 0] as const;

interface Budgets {
  readonly budgets: readonly { readonly spentUsd: number }[];
}

/** Sluice's clock jumps, forward and back; the monotonic clock continues, as on a real machine. */
export const clock: Drill = {
  name: 'clock',
  async run({ scale, say }) {
    if (library === undefined) return skipped(this.name, 'no libfaketime here (sh scripts/setup.sh faketime)');
    const findings = new Findings();
    const folder = mkdtempSync(join(tmpdir(), 'sluice-clock-'));
    const file = join(folder, 'offset');
    writeFileSync(file, '+0');
    const rig = await Rig.start({
      // $FAKETIME, which is set where this process's own clock is moved, would come before the file: the jumps are from the machine's time.
      env: {
        FAKETIME: undefined,
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    });
    const { url, adminUrl } = rig.stack;
    const traffic = new Traffic({ url, rate: 50 }).start();
    const agent = new Agent({ keepAlive: true });
    try {
      const spent = async (): Promise<number> => {
        const { budgets } = (await fetch(`${adminUrl}/budgets`).then((response) => response.json())) as Budgets;
        return budgets.reduce((total, { spentUsd }) => total + spentUsd, 0);
      };
      /** The decision of a question that was asked before: its record says whether the cache answered. */
      const body = chat(200, false, true);
      const again = async (): Promise<string> => {
        const { id } = await ask(url, agent, body, false);
        for (let tries = 0; tries < 200; tries++) {
          const response = await fetch(`${adminUrl}/decisions/${id ?? ''}`);
          if (response.ok) return String(((await response.json()) as { readonly cache: unknown }).cache);
          await sleep(25);
        }
        return 'no record';
      };
      await sleep(3_000 * scale + 500);
      await again();
      const fresh = await again();
      const before = await spent();
      const seen: string[] = [];
      let amount = before;
      const returned: number[] = [];
      for (const jump of jumps) {
        writeFileSync(file, jump < 0 ? String(jump) : `+${jump}`);
        await sleep(3_000 * scale + 500);
        const cached = await again();
        amount = await spent();
        if (jump === 0) returned.push(amount);
        seen.push(`${jump === 0 ? 'back' : `${jump / hour} h`}: cache ${cached}, ${amount.toFixed(4)} dollars`);
        say(seen.at(-1)!);
      }
      await traffic.stop();
      const all = sum(traffic.seen);
      const metrics = await fetch(`${adminUrl}/metrics`).then((response) => response.text());
      const negative = [...metrics.matchAll(/^(\w+)(?:\{[^}]*\})? -[\d.]+/gm)].map(([, name]) => name!);
      const held = await rig.ledger();
      const lost = traffic.seen.filter(({ id }) => id !== null && !held.times.has(id)).length;
      for (const [index, line] of seen.entries()) findings.fact(`jump ${index + 1}`, line);
      findings.check(
        'failed requests',
        `${all.failed} of ${all.requests}${all.problems === '' ? '' : ` (${all.problems})`}`,
        '0',
        all.failed === 0,
      );
      findings.timing('undecided requests', String(all.undecided), '0', all.undecided === 0);
      findings.check('records with a negative duration, cost or count', held.odd, '0', held.odd === 0);
      findings.check('negative metrics', negative.length === 0 ? 'none' : [...new Set(negative)].join(', '), 'none', negative.length === 0);
      findings.check('decided requests without a record', lost, '0', lost === 0);
      findings.check(
        'an answer is fresh, an hour later it is not',
        `${fresh}, ${seen[0]!.split(',')[0]!.split('cache ')[1]!}`,
        'hit, no hit',
        fresh === 'hit' && !seen[0]!.includes('cache hit'),
      );
      findings.check(
        'spent in the day’s budget before, and each time that the clock came back',
        [before, ...returned].map((value) => value.toFixed(4)).join(', '),
        'never less',
        returned.every((value, index) => value >= (index === 0 ? before : returned[index - 1]!)),
      );
      findings.check('the ledger’s chain', held.holds ? 'holds' : 'broken', 'holds', held.holds);
      return findings.result(this.name, 'the wall clock jumps an hour forward, back, an hour back, back, 25 hours forward, back, at 50/s');
    } finally {
      agent.destroy();
      await traffic.stop();
      await rig.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
