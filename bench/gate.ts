import { spawn } from 'node:child_process';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { Stack } from '../src/demo/stack.ts';
import { quantile } from './load.ts';
import { cpuOf, load, root } from './processes.ts';

/**
 * What a chain costs a first attempt that succeeds: the same traffic with a fallback and without, in turns. Usage: npm run bench -- gate
 */
const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '4' },
    rate: { type: 'string', default: '500' },
  },
});
const kinds = ['without', 'with', 'with, answers looked into'] as const;
type Kind = (typeof kinds)[number];
const workspaceOf: Readonly<Record<Kind, string>> = { without: 'plain', with: 'chained', 'with, answers looked into': 'judged' };

const after = '{ simple: [openai/gpt-4.1-mini], standard: [openai/gpt-4.1-mini], complex: [openai/gpt-4.1] }';
const policy = (endpoint: string): string => `
version: 1
providers: { openai: { endpoint: "${endpoint}" } }
defaults:
  candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] }
sections:
  - { name: chained, match: { workspace: [chained] }, fallback: { tiers: ${after} } }
  - { name: judged, match: { workspace: [judged] }, fallback: { tiers: ${after}, on: [server-error, empty, refusal] } }
`;

/** Exchanges that Envoy's filters have begun with Sluice; those whose messages are only copies are not waited for and not counted. */
async function exchanges(admin: string): Promise<number> {
  const { stats } = (await fetch(`${admin}/stats?format=json&filter=ext_proc.*streams_started`).then((response) => response.json())) as {
    readonly stats: readonly { readonly name: string; readonly value: number }[];
  };
  return stats.filter(({ name }) => !name.includes('response')).reduce((sum, { value }) => sum + value, 0);
}

const upstream = spawn(process.execPath, [`${root}bench/upstream.ts`], { stdio: ['ignore', 'pipe', 'inherit'] });
const port = Number(
  await new Promise<string>((resolve) => upstream.stdout.once('data', (data: Buffer) => resolve(data.toString().trim()))),
);
const stack = new Stack({ policy: policy(`http://127.0.0.1:${port}`), endpoint: null });
try {
  await stack.start();
  const samples: Record<Kind, { p50: number[]; p99: number[]; envoy: number[]; sluice: number[]; streams: number[]; failed: number }> =
    Object.fromEntries(kinds.map((kind) => [kind, { p50: [], p99: [], envoy: [], sluice: [], streams: [], failed: 0 }])) as never;
  for (let round = -1; round < Number(flags.rounds); round++) {
    for (let turn = 0; turn < kinds.length; turn++) {
      const kind = kinds[(turn + round + 1) % kinds.length]!;
      const before = { envoy: cpuOf(stack.envoyPid), sluice: cpuOf(stack.sluicePid), streams: await exchanges(stack.envoyAdminUrl) };
      const result = await load({
        url: `${stack.url}/v1/chat/completions`,
        rate: Number(flags.rate),
        seconds: Number(flags.seconds),
        bodyBytes: 1_024,
        sse: false,
        headers: { 'x-sluice-workspace': workspaceOf[kind] },
      });
      if (round === -1) continue;
      const of = samples[kind];
      of.p50.push(result.p50);
      of.p99.push(result.p99);
      of.envoy.push((cpuOf(stack.envoyPid) - before.envoy) / result.sent);
      of.sluice.push((cpuOf(stack.sluicePid) - before.sluice) / result.sent);
      of.streams.push(((await exchanges(stack.envoyAdminUrl)) - before.streams) / result.sent);
      of.failed += result.failed;
    }
  }
  const spread = (values: readonly number[], digits: number): string => {
    const sorted = [...values].sort((a, b) => a - b);
    return `${quantile(sorted, 0.5).toFixed(digits)} (${sorted[0]!.toFixed(digits)}–${sorted.at(-1)!.toFixed(digits)})`;
  };
  const rows = kinds.map((kind) => {
    const { p50, p99, envoy, sluice, streams, failed } = samples[kind];
    return `| ${kind} | ${spread(p50, 2)} | ${spread(p99, 2)} | ${spread(streams, 2)} | ${spread(sluice, 0)} | ${spread(envoy, 0)} | ${failed} |`;
  });
  process.stdout.write(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Linux ${release()}, Node ${process.version}; 1 KB, ${flags.rate}/s, ${flags.rounds} rounds of ${flags.seconds} s, median (lowest–highest)\n\n` +
      `| fallback | p50 ms | p99 ms | exchanges with Sluice a request | Sluice CPU µs a request | Envoy CPU µs a request | failed |\n|---|---|---|---|---|---|---|\n${rows.join('\n')}\n`,
  );
} finally {
  await stack.stop();
  upstream.kill('SIGKILL');
}
