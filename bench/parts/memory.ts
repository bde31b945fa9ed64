import { Agent, request } from 'node:http';
import { memoryOf } from '../processes.ts';
import { show, spread } from '../report.ts';
import { Stage } from '../stage.ts';
import type { Part } from './types.ts';

const streamTitle = '1,000 slow streams';
const idleTitle = 'memory, idle';
const gapMs = 200;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What Sluice holds when nothing happens, and for each of 1,000 streams half-way through. */
export const memory: Part = {
  id: 'memory',
  titles: [idleTitle, streamTitle],
  async run({ rounds, quick, progress }) {
    const idle: number[] = [];
    const stream: number[] = [];
    const afterwards: number[] = [];
    const count = quick ? 100 : 1_000;
    // A fresh process each round: memory does not come down again.
    for (let round = 0; round < Math.min(3, rounds); round++) {
      const stage = await Stage.open(['sluice']);
      try {
        await pause(quick ? 1_000 : 5_000);
        idle.push(memoryOf(stage.sluicePid) / 1_024);
        const { url } = stage.place('sluice');
        // Two waves warm the code up, so that neither it nor the heap's growth is counted as the streams' memory.
        for (let wave = 0; wave < 2; wave++) await openStreams(url, count, 0);
        await pause(1_000);
        const before = memoryOf(stage.sluicePid);
        const answers = openStreams(url, count, gapMs);
        await pause((50 * gapMs) / 2);
        stream.push((memoryOf(stage.sluicePid) - before) / count);
        const whole = await answers;
        if (whole !== count) throw new Error(`${count - whole} of ${count} streams were cut`);
        afterwards.push(memoryOf(stage.sluicePid) / 1_024);
      } finally {
        stage.close();
      }
    }
    progress(`${idleTitle}, ${streamTitle}`);
    return {
      tables: [
        {
          header: ['resident memory', 'Sluice'],
          rows: [
            ['idle', `${show(spread(idle), 0)} MB`],
            [`each of ${count.toLocaleString('en-US')} slow streams`, `${show(spread(stream), 1)} KiB`],
            ['afterwards', `${show(spread(afterwards), 0)} MB`],
          ],
        },
      ],
      goals: [
        { what: 'memory, idle', measured: spread(idle), digits: 0, unit: 'MB', bound: 'at most', limit: 90 },
        { what: 'memory of a slow stream', measured: spread(stream), digits: 1, unit: 'KiB', bound: 'at most', limit: 8 },
      ],
    };
  },
};

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
