import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fillDocs } from './docs.ts';
import { peersOutcome, type LoopSample, type RateSample, type Who } from './peers/outcome.ts';
import { startLiteLlm, startPortkey } from './peers/start.ts';
import { cpuOf, load, machine, memoryOf, root } from './processes.ts';
import { takenText, type Taken } from './report.ts';
import { hasGo, Stage, type Place } from './stage.ts';
import { inTurns } from './parts/types.ts';

/**
 * Sluice beside other gateways: the same Envoy (one worker) in front of each, the same fake provider behind, turns in one run.
 * Usage: npm run bench -- peers [--rounds 5 --seconds 6 --write-docs --note "…"]
 */
const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '6' },
    quick: { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
    note: { type: 'string', default: '' },
  },
});
const rounds = flags.quick ? 1 : Number(flags.rounds);
const seconds = flags.quick ? 2 : Number(flags.seconds);

/** Requests a second, and who bears them: one process of each. */
const rates: readonly { readonly rate: number; readonly who: readonly Who[] }[] = [
  { rate: 20, who: ['Envoy alone', 'no-op', 'Sluice', 'Portkey', 'LiteLLM'] },
  { rate: 200, who: ['Envoy alone', 'no-op', 'Sluice', 'Portkey'] },
  { rate: 500, who: ['Envoy alone', 'no-op', 'Sluice'] },
];
/** Concurrent requests in the closed-loop run. */
const closedLoop = 16;

async function main(): Promise<void> {
  const stage = await Stage.open(['none', 'noop', 'sluice']);
  try {
    const upstream = `http://127.0.0.1:${stage.upstreamPort}/v1`;
    const litellm = await startLiteLlm(stage, upstream);
    const portkey = await startPortkey(stage);
    const places: Record<Who, Place> = {
      'Envoy alone': stage.place('none'),
      'no-op': stage.place('noop'),
      Sluice: stage.place('sluice'),
      Portkey: await stage.inFront(portkey.port, portkey.pid),
      LiteLLM: await stage.inFront(litellm.port, litellm.pid),
    };
    // Portkey takes the target from request headers; the others ignore them.
    const headers = { authorization: 'Bearer sk-bench', 'x-portkey-provider': 'openai', 'x-portkey-custom-host': upstream };
    const everyone = rates[0]!.who;
    const memory = new Map(everyone.map((who) => [who, residentMb(places[who])]));
    const atRate = new Map<number, Map<Who, RateSample[]>>();
    for (const { rate, who } of rates) {
      const samples = new Map<Who, RateSample[]>(who.map((one) => [one, []]));
      for (let round = -1; round < rounds; round++) {
        for (const one of inTurns(who, round)) {
          const { url, processorPid } = places[one];
          const before = processorPid === null ? 0 : cpuOf(processorPid);
          const { sent, p50, p99, failed } = await load({ url, rate, seconds, bodyBytes: 1_024, sse: false, headers });
          if (round >= 0)
            samples.get(one)!.push({ p50, p99, failed, cpu: processorPid === null ? 0 : (cpuOf(processorPid) - before) / sent });
        }
      }
      atRate.set(rate, samples);
      process.stderr.write(`· ${rate}/s\n`);
    }
    const loops = new Map<Who, LoopSample[]>(everyone.map((who) => [who, []]));
    for (let round = -1; round < rounds; round++) {
      for (const who of inTurns(everyone, round)) {
        const { url, envoyPid, processorPid } = places[who];
        const before = { envoy: cpuOf(envoyPid), own: processorPid === null ? 0 : cpuOf(processorPid) };
        const { sent, perSecond, failed } = await load({ url, rate: 0, seconds, bodyBytes: 1_024, sse: false, closedLoop, headers });
        if (round < 0) continue;
        loops
          .get(who)!
          .push({
            perSecond,
            failed,
            cpu: processorPid === null ? 0 : (cpuOf(processorPid) - before.own) / sent,
            envoyCpu: (cpuOf(envoyPid) - before.envoy) / sent,
            memory: residentMb(places[who]),
          });
      }
    }
    publish({
      how: `${machine()}; ${process.env['SLUICE_PEERS'] ?? ''}; no-op in ${hasGo() ? 'Go' : 'Node'}; 1 KB, JSON; ${rounds} rounds of ${seconds} s, median (lowest–highest)${flags.note === '' ? '' : `; ${flags.note}`}`,
      command: `npm run bench -- peers --rounds ${rounds} --seconds ${seconds}`,
      ...peersOutcome(atRate, loops, memory),
    });
  } finally {
    stage.close();
  }
}

const residentMb = ({ processorPid }: Place): number => (processorPid === null ? 0 : memoryOf(processorPid) / 1_024);

function publish(taken: Taken): void {
  process.stdout.write(`${takenText(taken)}\n\n${readFileSync(join(root, 'docs/peers.md'), 'utf8').split('<!-- fair -->')[1]!.trim()}\n`);
  const folder = join(root, 'bench/results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'latest.peers.json'), `${JSON.stringify({ peers: taken }, null, 1)}\n`);
  if (!flags['write-docs']) return;
  const kept = join(folder, 'published.json');
  const published = { ...(JSON.parse(readFileSync(kept, 'utf8')) as Record<string, Taken>), peers: taken };
  writeFileSync(kept, `${JSON.stringify(published, null, 1)}\n`);
  fillDocs(published);
  process.stderr.write('docs/peers.md has these figures now\n');
}

await main();
process.exit(0);
