import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { freePorts } from '../../src/demo/stack.ts';

const unpacked = fileURLToPath(new URL('../../.tools/prometheus/usr/bin/', import.meta.url));

function find(name: string): string | null {
  return (
    [...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name)), join(unpacked, name)].find((file) =>
      existsSync(file),
    ) ?? null
  );
}

/** On PATH, or what scripts/setup.sh unpacked; null: not on this machine. */
export const promtool: string | null = find('promtool');
export const prometheusBinary: string | null = find('prometheus');

export interface PromSample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A real Prometheus of a test's own, that scrapes each second. */
export class TestPrometheus {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-prometheus-'));
  #process: ChildProcess | null = null;
  url = '';

  /** Puts samples of the past into it, OpenMetrics text with times. Before the start. */
  backfill(openMetrics: string): void {
    const file = join(this.#folder, 'samples.txt');
    writeFileSync(file, openMetrics);
    execFileSync(promtool!, ['tsdb', 'create-blocks-from', 'openmetrics', file, join(this.#folder, 'data')], { stdio: 'ignore' });
  }

  /** `targets`: job → `host:port/path`. `rules`: the text of a rule file. */
  async start(targets: Readonly<Record<string, { readonly address: string; readonly path: string }>>, rules: string): Promise<void> {
    if (prometheusBinary === null) throw new Error('no prometheus');
    const [port] = await freePorts(1);
    this.url = `http://127.0.0.1:${port!}`;
    writeFileSync(join(this.#folder, 'rules.yaml'), rules);
    writeFileSync(
      join(this.#folder, 'prometheus.yaml'),
      stringify({
        global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
        rule_files: ['rules.yaml'],
        scrape_configs: Object.entries(targets).map(([job, { address, path }]) => ({
          job_name: job,
          metrics_path: path,
          static_configs: [{ targets: [address] }],
        })),
      }),
    );
    this.#process = spawn(
      prometheusBinary,
      [
        `--config.file=${join(this.#folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(this.#folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port!}`,
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
    for (let tries = 0; tries < 300; tries++) {
      const ready = await fetch(`${this.url}/-/ready`).then(
        (response) => response.ok,
        () => false,
      );
      if (ready) return;
      if (this.#process.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('Prometheus did not start');
  }

  /** An instant query, now or at a moment (seconds). Throws what Prometheus says is wrong with it. */
  async query(expr: string, time?: number): Promise<readonly PromSample[]> {
    const body = new URLSearchParams({ query: expr, ...(time === undefined ? {} : { time: String(time) }) });
    const answer = (await fetch(`${this.url}/api/v1/query`, { method: 'POST', body }).then((response) => response.json())) as {
      readonly status: string;
      readonly error?: string;
      readonly data?: { readonly result: readonly PromSample[] };
    };
    if (answer.status !== 'success' || answer.data === undefined) throw new Error(`${answer.error ?? answer.status}: ${expr}`);
    return answer.data.result;
  }

  /** Resolves when it has read each target after this moment, by its own clock. */
  async scraped(): Promise<void> {
    const [now] = await this.query('vector(time())');
    const later = `min(timestamp(up)) > ${now!.value[1]}`;
    for (let tries = 0; (await this.query(later)).length === 0; tries++) {
      if (tries > 200) throw new Error('Prometheus does not read its targets');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** The rules with their health and last error. */
  async rules(): Promise<readonly { readonly name: string; readonly health: string; readonly lastError?: string }[]> {
    const { data } = (await fetch(`${this.url}/api/v1/rules`).then((response) => response.json())) as {
      readonly data: {
        readonly groups: readonly {
          readonly rules: readonly { readonly name: string; readonly health: string; readonly lastError?: string }[];
        }[];
      };
    };
    return data.groups.flatMap(({ rules }) => rules);
  }

  async stop(): Promise<void> {
    const running = this.#process;
    if (running !== null && running.exitCode === null) {
      await new Promise<void>((resolve) => {
        running.once('exit', () => resolve());
        running.kill('SIGTERM');
      });
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
