import { spawn } from 'node:child_process';
import { nodeFlags } from '../../src/lib/node-flags.ts';
import { root } from '../processes.ts';
import { show, spread, type Spread } from '../report.ts';
import type { DecisionTimes } from '../decision.ts';
import type { Part } from './types.ts';

const title = 'decision, 2 KB prompt';
const steps = [
  ['decide', 'scan, classify, decide, rewrite'],
  ['record', 'read the answer, record, log, ledger, metrics'],
  ['both', 'together'],
] as const;

/** What the pipeline itself takes for one request, without Envoy and without a transport. */
export const decision: Part = {
  id: 'decision',
  titles: [title],
  async run({ rounds, quick, progress }) {
    const found: DecisionTimes[] = [];
    // One process per round, because the JIT's output differs between processes.
    for (let round = 0; round < Math.min(5, rounds); round++) found.push(await once(quick ? 2_000 : 20_000));
    const of = (step: 'decide' | 'record' | 'both', quantile: 'p50' | 'p99'): Spread => spread(found.map((times) => times[step][quantile]));
    progress(title);
    return {
      tables: [
        {
          header: [title, 'p50 µs', 'p99 µs'],
          rows: steps.map(([step, what]) => [what, show(of(step, 'p50'), 1), show(of(step, 'p99'), 1)]),
        },
      ],
      goals: [
        {
          what: 'classify, decide, record, 2 KB prompt: p50',
          measured: of('both', 'p50'),
          digits: 1,
          unit: 'µs',
          bound: 'at most',
          limit: 40,
        },
        {
          what: 'classify, decide, record, 2 KB prompt: p99',
          measured: of('both', 'p99'),
          digits: 1,
          unit: 'µs',
          bound: 'at most',
          limit: 120,
        },
      ],
    };
  },
};

function once(count: number): Promise<DecisionTimes> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeFlags, `${root}bench/decision.ts`, String(count)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (data: Buffer) => (text += data.toString()));
    child.once('exit', (code) =>
      code === 0 ? resolve(JSON.parse(text) as DecisionTimes) : reject(new Error(`the measurement ended with ${code ?? 'a signal'}`)),
    );
  });
}
