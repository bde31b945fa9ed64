import { Rig } from './rig.ts';
import { sum, Traffic } from './traffic.ts';
import { Findings, sleep, until, type Drill } from './types.ts';

/** Number of edits in a burst so fast that only the last one can be loaded. */
const burst = 10;
const models = ['openai/gpt-5-nano', 'openai/gpt-4.1-nano', 'openai/gpt-5-mini', 'openai/gpt-4.1-mini'] as const;

/** The policy is edited again and again, under load. */
export const edits: Drill = {
  name: 'edits',
  async run({ scale, say }) {
    const many = Math.max(50, Math.round(10_000 * scale));
    const findings = new Findings();
    // A small cache is full before memory is measured, and little is remembered per request.
    const rig = await Rig.start({ serve: ['--cache-memory', '4'] });
    const traffic = new Traffic({ url: rig.stack.url, rate: 25, repeatEvery: 0 }).start();
    try {
      await sleep(1_000);
      const samples: { readonly mb: number; readonly fds: number }[] = [];
      let last: string = models[0];
      for (let edit = 0; edit < many; edit++) {
        last = models[(edit + Math.floor(edit / burst)) % models.length]!;
        rig.stack.writePolicy(`# edit ${edit}\n${rig.policy(last)}`);
        if ((edit + 1) % burst !== 0) continue;
        const generation = await rig.metric('llm_proxy_policy_generation');
        await until(async () => (await rig.metric('llm_proxy_policy_generation')) > generation, 400);
        samples.push(rig.sluice());
        if ((edit + 1) % 1_000 === 0)
          say(
            `${edit + 1} edits, generation ${await rig.metric('llm_proxy_policy_generation')}, Sluice ${samples.at(-1)!.mb.toFixed(0)} MB`,
          );
      }
      const wanted = last.split('/')[1]!;
      const won = await until(() => traffic.seen.at(-1)?.model === wanted, 5_000);
      const from = performance.now();
      await sleep(1_000);
      await traffic.stop();
      const after = traffic.between(from);
      const generations = await rig.metric('llm_proxy_policy_generation');
      const refused = await rig.metric('llm_proxy_policy_refused');
      const all = sum(traffic.seen);
      const fifth = Math.max(1, Math.floor(samples.length / 5));
      const mean = (list: typeof samples, of: 'mb' | 'fds'): number => list.reduce((total, sample) => total + sample[of], 0) / list.length;
      const [early, late] = [samples.slice(fifth, 2 * fifth), samples.slice(-fifth)];
      findings.fact('generations that were in force', generations);
      findings.fact('p99 ms', all.p99.toFixed(1));
      findings.check(
        'failed requests',
        `${all.failed} of ${all.requests}${all.problems === '' ? '' : ` (${all.problems})`}`,
        '0',
        all.failed === 0,
      );
      findings.timing('undecided requests', String(all.undecided), '0', all.undecided === 0);
      findings.check(
        'the last edit decides',
        won === null ? 'no' : `yes, ${after.filter(({ model }) => model !== wanted).length} of ${after.length} afterwards by another`,
        'yes, 0',
        won !== null && after.every(({ model }) => model === wanted),
      );
      findings.check('refused edits', refused, '0', refused === 0);
      findings.timing(
        'memory of Sluice, second and last fifth, MB',
        `${mean(early, 'mb').toFixed(0)} → ${mean(late, 'mb').toFixed(0)}`,
        'at most 10% more',
        mean(late, 'mb') <= 1.1 * mean(early, 'mb'),
      );
      findings.timing(
        'open descriptors',
        `${mean(early, 'fds').toFixed(1)} → ${mean(late, 'fds').toFixed(1)}`,
        'at most 1 more',
        mean(late, 'fds') <= mean(early, 'fds') + 1,
      );
      return findings.result(this.name, `${many} edits of the policy in bursts of ${burst}, at 25 requests/s`);
    } finally {
      await traffic.stop();
      await rig.stop();
    }
  },
};
