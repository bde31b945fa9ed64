import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { memoryBytesOf } from '../../src/attach/overload.ts';
import { Rig } from './rig.ts';
import { Findings, skipped, sleep, until, type Drill } from './types.ts';

const count = 40;
const bodyBytes = 30_000_000;
const root = '/sys/fs/cgroup';

/** A memory limit like a container's. Throws if there is no right to set one. */
class Limit {
  readonly #folder: string;
  readonly #most: string;

  constructor(bytes: number) {
    const first = existsSync(join(root, 'memory'));
    this.#folder = join(root, first ? 'memory' : '', `sluice-drill-${process.pid}`);
    this.#most = join(this.#folder, first ? 'memory.max_usage_in_bytes' : 'memory.peak');
    mkdirSync(this.#folder);
    writeFileSync(join(this.#folder, first ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes));
  }

  take(pid: number): void {
    writeFileSync(join(this.#folder, 'cgroup.procs'), String(pid));
  }

  get mostBytes(): number {
    return Number(readFileSync(this.#most, 'utf8'));
  }

  remove(): void {
    rmdirSync(this.#folder);
  }
}

/** The answer's status; `gone` if the connection ended before it. */
function send(url: string, body: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length, authorization: 'Bearer sk-app' };
    const call = request(`${url}/v1/chat/completions`, { method: 'POST', agent: new Agent(), headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(String(response.statusCode)));
      response.on('error', () => resolve('gone'));
    });
    call.on('error', () => resolve('gone'));
    call.end(body);
  });
}

/** Many large bodies at once from one client, against an Envoy with a container's memory. */
const withMemory = (name: string, memory: string): Drill => ({
  name,
  async run({ scale, say }) {
    const memoryBytes = memoryBytesOf(memory)!;
    let limit: Limit;
    try {
      limit = new Limit(memoryBytes);
    } catch {
      return skipped(this.name, 'no right to limit the memory of a process');
    }
    const findings = new Findings();
    const rig = await Rig.start({ envoyMemoryBytes: memoryBytes, serve: ['--envoy-memory', memory], defaults: { cache: { mode: 'off' } } });
    try {
      limit.take(rig.stack.envoyPid);
      const pid = rig.stack.envoyPid;
      const body = Buffer.from(JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'x'.repeat(bodyBytes) }] }));
      const seen: string[] = [];
      const rounds = Math.max(1, Math.round(3 * scale));
      for (let round = 0; round < rounds; round++) {
        const answers = await Promise.all(Array.from({ length: count }, () => send(rig.stack.url, body)));
        seen.push(...answers);
        say(
          `round ${round + 1}: ${answers.filter((status) => status === '200').length} answered, Envoy ${(limit.mostBytes / 2 ** 20).toFixed(0)} MiB at most`,
        );
        await sleep(500);
      }
      const of = (status: string): number => seen.filter((each) => each === status).length;
      const small = Buffer.from('{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}');
      const after = await until(async () => (await send(rig.stack.url, small)) === '200', 5_000);
      const alive = /^State:\s+[^Z]/m.test(existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : '');
      findings.check('Envoy', alive ? 'lives' : 'was killed', 'lives', alive);
      // How many come in time for the memory that there is depends on the machine's pace.
      findings.timing('large requests answered', String(of('200')), 'some', of('200') > 0);
      findings.check('a small request afterwards', after === null ? 'no answer' : 'answered', 'answered', after !== null);
      findings.fact('refused with 503', of('503'));
      findings.fact('connections that ended without an answer', of('gone'));
      findings.fact('Envoy’s memory at most, MiB', (limit.mostBytes / 2 ** 20).toFixed(0));
      return findings.result(this.name, `${rounds} times ${count} bodies of 30 MB at once from one client, to an Envoy with ${memory}`);
    } finally {
      await rig.stop();
      await sleep(200);
      limit.remove();
    }
  },
});

/** What the chart gives to the gateway's Envoy. */
export const largeBodies = withMemory('large-bodies', '2Gi');
/** What it gives to a sidecar's. */
export const largeBodiesInSidecar = withMemory('large-bodies-sidecar', '512Mi');
