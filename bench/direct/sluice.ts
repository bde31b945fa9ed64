import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../processes.ts';
import type { Allocations, Question, Stack, Usage } from './probe.ts';

const probe = fileURLToPath(new URL('probe.ts', import.meta.url));

export interface ProbedOptions {
  /** Policy text. */
  readonly policy: string;
  /** Flags of Node's own instead of those that `bin/sluice` gives it. */
  readonly node?: readonly string[];
  /** Whose sources run; default: this checkout's. */
  readonly checkout?: string;
}

/** Sluice in a process of its own with the probe in it, on a socket, with its log and its ledger on disk. */
export class ProbedSluice {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-direct-'));
  readonly socket = join(this.folder, 'sluice.sock');
  readonly #child: ChildProcess;
  readonly #reference = join(this.folder, 'reference.sock');
  #referenceSocket: Socket | null = null;

  private constructor({ policy, node, checkout = root }: ProbedOptions) {
    const file = join(this.folder, 'policy.yaml');
    writeFileSync(file, policy);
    const errors = openSync(join(this.folder, 'errors'), 'a');
    const serve = [
      'serve',
      '--policy',
      file,
      '--listen',
      `unix:${this.socket}`,
      '--admin',
      '127.0.0.1:0',
      '--log',
      join(this.folder, 'log'),
      '--ledger',
      join(this.folder, 'ledger.db'),
      '--budgets',
      join(this.folder, 'budgets.json'),
    ];
    const stdio: StdioOptions = ['ignore', 'ignore', errors, 'ipc'];
    this.#child =
      node === undefined
        ? spawn(join(checkout, 'bin/sluice'), serve, { stdio, env: { ...process.env, NODE_OPTIONS: `--import=${probe}` } })
        : spawn(process.execPath, [...node, '--import', probe, join(checkout, 'src/cli/index.ts'), ...serve], { stdio });
  }

  /** Resolves when the socket exists. If the process exits instead, throws with its output. */
  static async start(options: ProbedOptions): Promise<ProbedSluice> {
    const sluice = new ProbedSluice(options);
    for (let tries = 0; tries < 600 && !existsSync(sluice.socket); tries++) {
      if (sluice.#child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (existsSync(sluice.socket)) return sluice;
    const said = readFileSync(join(sluice.folder, 'errors'), 'utf8').slice(-2_000);
    await sluice.stop();
    throw new Error(`Sluice did not start:\n${said}`);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  usage(): Promise<Usage> {
    return this.#ask('usage') as Promise<Usage>;
  }

  /** The same after a full garbage collection (needs `--expose-gc`). */
  collected(): Promise<Usage> {
    return this.#ask('collect') as Promise<Usage>;
  }

  /** What the functions of the main thread allocate while `work` runs. */
  async allocations(work: () => Promise<unknown>): Promise<Allocations[]> {
    await this.#ask('sample');
    await work();
    return this.#ask('sampled') as Promise<Allocations[]>;
  }

  /** Where the main thread's time goes while `work` runs. */
  async stacks(work: () => Promise<unknown>): Promise<Stack[]> {
    await this.#ask('profile');
    await work();
    return this.#ask('profiled') as Promise<Stack[]>;
  }

  /** `count` rounds of the reference workload with `body`, one after the other: parsed and measured in Sluice's own process. */
  async reference(body: Buffer, count: number): Promise<void> {
    let socket = this.#referenceSocket;
    if (socket === null) {
      await this.#ask({ reference: this.#reference });
      socket = connect(this.#reference);
      this.#referenceSocket = socket;
      socket.on('error', () => undefined);
    }
    const message = Buffer.concat([Buffer.alloc(4), body]);
    message.writeUInt32BE(body.length);
    const wire = socket;
    for (let done = 0; done < count; done++) {
      await new Promise<void>((resolve) => {
        wire.once('data', () => resolve());
        wire.write(message);
      });
    }
  }

  async stop(): Promise<void> {
    this.#referenceSocket?.destroy();
    if (this.#child.exitCode === null) {
      const gone = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  #ask(question: Question): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error(`Sluice ended:\n${readFileSync(join(this.folder, 'errors'), 'utf8').slice(-2_000)}`));
      this.#child.once('exit', gone);
      this.#child.once('message', (answer) => {
        this.#child.off('exit', gone);
        resolve(answer);
      });
      this.#child.send(question);
    });
  }
}
