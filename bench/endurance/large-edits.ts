import { Rig } from './rig.ts';
import { sum, Traffic } from './traffic.ts';
import { Findings, sleep, until, type Drill } from './types.ts';

/** Numbers of sections, as in a policy of many teams. The last is near the most bytes of a policy. */
const sizes = [1_000, 4_500] as const;
const models = ['openai/gpt-5-nano', 'openai/gpt-4.1-nano'] as const;

/** Sections of teams that send nothing here: what they cost is the time of a compilation. */
function sections(many: number): string {
  const team = (at: number): string =>
    `  - name: team-${at}\n    match: { workspace: [team-${at}] }\n    candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] }\n`;
  return `sections:\n${Array.from({ length: many }, (_, at) => team(at)).join('')}`;
}

/** Large policies are edited under load: their compilation must not keep requests from being decided. */
export const largeEdits: Drill = {
  name: 'large-edits',
  async run({ scale, say }) {
    const edits = Math.max(2, Math.round(10 * scale));
    const findings = new Findings();
    const rig = await Rig.start({ serve: ['--cache-memory', '4'] });
    const traffic = new Traffic({ url: rig.stack.url, rate: 50, repeatEvery: 0 }).start();
    try {
      const quiet = performance.now();
      await sleep(5_000);
      const before = sum(traffic.between(quiet));
      findings.fact(
        'without edits: undecided; p50, p99 and slowest ms',
        `${before.undecided} of ${before.requests}; ${before.p50.toFixed(0)}, ${before.p99.toFixed(0)}, ${before.slowest.toFixed(0)}`,
      );
      for (const many of sizes) {
        const teams = sections(many);
        const from = performance.now();
        const took: number[] = [];
        for (let edit = 0; edit < edits; edit++) {
          const model = models[edit % models.length]!;
          const generation = await rig.metric('llm_proxy_policy_generation');
          rig.stack.writePolicy(`# edit ${edit}\n${rig.policy(model)}${teams}`);
          const ms = await until(async () => (await rig.metric('llm_proxy_policy_generation')) > generation, 60_000);
          if (ms === null) throw new Error(`an edit of ${many} sections was not in force after a minute`);
          took.push(ms);
          say(`${many} sections, edit ${edit + 1}: in force after ${(ms / 1_000).toFixed(1)} s`);
        }
        await sleep(500);
        const all = sum(traffic.between(from));
        findings.check(
          `failed requests, ${many} sections`,
          `${all.failed} of ${all.requests}${all.problems === '' ? '' : ` (${all.problems})`}`,
          '0',
          all.failed === 0,
        );
        findings.timing(`undecided requests, ${many} sections`, `${all.undecided} of ${all.requests}`, '0', all.undecided === 0);
        findings.fact(
          `p50, p99 and slowest ms, ${many} sections`,
          `${all.p50.toFixed(0)}, ${all.p99.toFixed(0)}, ${all.slowest.toFixed(0)}`,
        );
        findings.fact(`seconds until an edit is in force, ${many} sections`, `${(Math.max(...took) / 1_000).toFixed(1)} at most`);
      }
      return findings.result(this.name, `${edits} edits of a policy of 1,000 sections, then of one of 4,500, at 50 requests/s`);
    } finally {
      await traffic.stop();
      await rig.stop();
    }
  },
};
