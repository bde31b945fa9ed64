import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../src/demo/stack.ts';
import type { ExchangeRecord } from '../../src/record/types.ts';
import { recordOf } from './record.ts';
import { entry } from './entry.ts';

/** `sluice serve` on TCP, as in the chart's shape `extension`. */
export class ServedSluice {
  readonly folder: string;
  readonly policyFolder: string;
  port = 0;
  adminUrl = '';
  #child: ChildProcess | null = null;

  constructor(folder: string) {
    this.folder = folder;
    this.policyFolder = join(folder, 'policy');
  }

  async start(policy: string, ...more: readonly string[]): Promise<void> {
    mkdirSync(this.policyFolder, { recursive: true });
    writeFileSync(join(this.policyFolder, 'policy.yaml'), policy);
    const [port, admin] = await freePorts(2);
    this.port = port!;
    this.adminUrl = `http://127.0.0.1:${admin!}`;
    const log = openSync(join(this.folder, 'sluice.err'), 'a');
    const source = more.includes('--policy') ? [] : ['--policy', this.policyFolder];
    this.#child = spawn(
      process.execPath,
      [
        entry,
        'serve',
        ...source,
        '--listen',
        `127.0.0.1:${this.port}`,
        '--admin',
        `127.0.0.1:${admin!}`,
        '--ledger',
        'off',
        '--log',
        join(this.folder, 'sluice.log'),
        '--grace',
        '2',
        ...more,
      ],
      { stdio: ['ignore', log, log] },
    );
    for (let tries = 0; tries < 400; tries++) {
      if (this.#child.exitCode !== null) break;
      if ((await fetch(`${this.adminUrl}/readyz`).catch(() => null))?.ok === true) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(readFileSync(join(this.folder, 'sluice.err'), 'utf8'));
  }

  /** The record of a decision, after the response has been read completely. */
  async record(id: string | null): Promise<ExchangeRecord> {
    return recordOf(this.adminUrl, id);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}
