import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { load, memoryOf, root } from '../processes.ts';
import { show, spread, type Goal } from '../report.ts';
import { Stage } from '../stage.ts';
import type { Part } from './types.ts';

const streamTitle = '1,000 slow streams';
const idleTitle = 'memory, idle';
const loadTitle = 'memory under load';
const gapMs = 200;
const rates = [500, 1_000];
/** Interval between two looks at the memory under load, in ms. */
const lookMs = 100;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const number = (value: number): string => value.toLocaleString('en-US');

/** What was held in each round, in MB; by each stream in KiB. */
interface Held {
  readonly idle: number[];
  readonly idleFiles: number[];
  readonly loaded: ReadonlyMap<number, number[]>;
  readonly stream: number[];
  readonly afterwards: number[];
}

/**
 * What Sluice, built and started as in the image, holds when nothing happens, at most while requests of 1 KB come, and for each of 1,000
 * streams half-way through.
 */
export const memory: Part = {
  id: 'memory',
  titles: [idleTitle, loadTitle, streamTitle],
  async run({ rounds, quick, progress }) {
    const held: Held = { idle: [], idleFiles: [], loaded: new Map(rates.map((rate) => [rate, []])), stream: [], afterwards: [] };
    const count = quick ? 100 : 1_000;
    const built = buildPackage();
    try {
      // A fresh process each round: memory does not come down again.
      for (let round = 0; round < Math.min(3, rounds); round++) {
        await idleAndLoaded(held, built, quick);
        await streaming(held, built, count);
        progress(`${idleTitle}, ${loadTitle}, ${streamTitle}`);
      }
    } finally {
      rmSync(dirname(built), { recursive: true, force: true });
    }
    return { tables: [{ header: ['resident memory of Sluice as built', ''], rows: rowsOf(held, count) }], goals: goalsOf(held) };
  },
};

function rowsOf({ idle, idleFiles, loaded, stream, afterwards }: Held, count: number): string[][] {
  const mb = (values: readonly number[]): string => `${show(spread(values), 0)} MB`;
  return [
    ['idle, 20 s after its start', mb(idle)],
    ["of it pages of files, nearly all of them Node's, which processes share", mb(idleFiles)],
    ...[...loaded].map(([rate, values]) => [`requests of 1 KB, ${number(rate)}/s for 20 s, at most`, mb(values)]),
    [`each of ${number(count)} slow streams`, `${show(spread(stream), 1)} KiB`],
    ['after them', mb(afterwards)],
  ];
}

function goalsOf({ idle, loaded, stream }: Held): Goal[] {
  const goal = (what: string, values: readonly number[], limit: number): Goal => {
    return { what, measured: spread(values), digits: 0, unit: 'MB', bound: 'at most', limit };
  };
  return [
    goal(idleTitle, idle, 80),
    ...[...loaded].map(([rate, values]) => goal(`${loadTitle}, ${number(rate)}/s`, values, 120)),
    { ...goal('memory of a slow stream', stream, 8), digits: 1, unit: 'KiB' },
  ];
}

/** Builds the package into a folder of its own, with the one dependency that is not in it; a `dist/` of earlier sources would mislead. */
function buildPackage(): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'sluice-built-')), 'package');
  execFileSync(process.execPath, [join(root, 'scripts/build.ts'), '--out', folder], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

async function idleAndLoaded({ idle, idleFiles, loaded }: Held, built: string, quick: boolean): Promise<void> {
  const stage = await Stage.open(['sluice'], { built });
  const pid = stage.sluicePid;
  const { url } = stage.place('sluice');
  try {
    await pause(quick ? 1_000 : 20_000);
    idle.push(memoryOf(pid) / 1_024);
    idleFiles.push(memoryOf(pid, 'files') / 1_024);
    for (const [rate, values] of loaded) values.push((await mostUnderLoad(url, pid, { rate, seconds: quick ? 1 : 20 })) / 1_024);
  } finally {
    stage.close();
  }
}

/** In a process of its own: one that had load gives memory back while the streams go on. */
async function streaming({ stream, afterwards }: Held, built: string, count: number): Promise<void> {
  const stage = await Stage.open(['sluice'], { built });
  const pid = stage.sluicePid;
  const { url } = stage.place('sluice');
  try {
    // Two waves warm the code up, so that neither it nor the heap's growth is counted as the streams' memory.
    for (let wave = 0; wave < 2; wave++) await openStreams(url, count, 0);
    await pause(1_000);
    const before = memoryOf(pid);
    const answers = openStreams(url, count, gapMs);
    await pause((50 * gapMs) / 2);
    stream.push((memoryOf(pid) - before) / count);
    const whole = await answers;
    if (whole !== count) throw new Error(`${count - whole} of ${count} streams were cut`);
    afterwards.push(memoryOf(pid) / 1_024);
  } finally {
    stage.close();
  }
}

/** The most that the process held while requests of 1 KB came at this rate, in KiB. */
async function mostUnderLoad(url: string, pid: number, plan: { readonly rate: number; readonly seconds: number }): Promise<number> {
  let most = 0;
  const looks = setInterval(() => (most = Math.max(most, memoryOf(pid))), lookMs);
  try {
    const { failed, sent } = await load({ url, ...plan, bodyBytes: 1_024, sse: false });
    if (failed > 0) throw new Error(`${failed} of ${sent} requests failed`);
  } finally {
    clearInterval(looks);
  }
  return most;
}

/** `count` streams at once; resolves with how many were whole. */
async function openStreams(url: string, count: number, gap: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: count });
  const body =
    '{"model":"gpt-5.1","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"What is a CDN?"}]}';
  const one = (): Promise<boolean> =>
    new Promise((resolve) => {
      let text = '';
      const call = request(
        url,
        { method: 'POST', agent, headers: { 'content-type': 'application/json', 'x-bench-sse': '1', 'x-bench-gap': String(gap) } },
        (response) => {
          response.on('data', (data: Buffer) => (text = data.toString('latin1')));
          response.once('end', () => resolve(response.statusCode === 200 && text.includes('[DONE]')));
          response.once('error', () => resolve(false));
        },
      );
      call.once('error', () => resolve(false));
      call.end(body);
    });
  const whole = await Promise.all(Array.from({ length: count }, one));
  agent.destroy();
  return whole.filter(Boolean).length;
}
