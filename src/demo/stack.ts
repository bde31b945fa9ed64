import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFlags } from '../lib/node-flags.ts';
import { stringify } from 'yaml';
import { loadCatalog } from '../catalog/index.ts';
import { dialects } from '../apis/registry.ts';
import { requireEnvoy } from '../attach/binary.ts';
import { requestPolicyOf } from '../attach/ext-proc.ts';
import { renderEnvoy } from '../attach/render.ts';
import { usageModeOf, type UsageChoice } from '../attach/usage.ts';
import { abilitiesOf } from '../attach/abilities.ts';
import { defaultEnvoyVersion } from '../attach/versions.ts';
import { SluiceError } from '../lib/errors.ts';
import { compilePolicy } from '../policy/compile.ts';
import { readPolicyFiles } from '../policy/source.ts';
import type { ExchangeRecord } from '../record/types.ts';

export interface StackOptions {
  /** Policy text. */
  readonly policy: string;
  /** Replaces every provider's endpoint; null for the real ones. */
  readonly endpoint: string | null;
  readonly failClosed?: boolean;
  /** An Envoy to use instead of the one that is found. */
  readonly envoy?: { readonly binary: string; readonly version: string };
  /** How Sluice learns of answers; absent: auto. */
  readonly usage?: UsageChoice;
  /** Sluice listens on a TCP port instead of a Unix socket. */
  readonly tcp?: boolean;
  /** Where Envoy listens, instead of a free port: `127.0.0.1:10000`. */
  readonly listen?: string;
  /** Additional flags of `sluice serve`. */
  readonly serve?: readonly string[];
  /** An OTLP collector for Envoy's own spans: `host:port`. */
  readonly otlp?: string;
  /** Environment variables of Sluice's process, in addition to this process's own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Sluice's policy source instead of `policy`, which is then used for Envoy's clusters only. */
  readonly source?: { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> };
  /** How long Envoy waits for Sluice, instead of the config's value: `0.5s`. Absent: $SLUICE_STACK_MESSAGE_TIMEOUT, if set. */
  readonly messageTimeout?: string;
  /** Changes Envoy's config before it starts. */
  readonly envoyConfig?: (config: object) => object;
  /** Memory that Envoy may use, bytes; not bounded if absent. */
  readonly envoyMemoryBytes?: number;
  /** Sluice runs below the supervisor of a container, which starts it again when it ends; `sluicePid` is the supervisor's. */
  readonly supervised?: boolean;
  readonly progress?: (what: string) => void;
}

const entry = process.env['SLUICE_STACK_ENTRY'] ?? fileURLToPath(new URL('../cli/index.ts', import.meta.url));
const supervisor = fileURLToPath(new URL('../cli/supervise.ts', import.meta.url));

/** Runs Sluice and Envoy as separate processes, in a folder of their own, on free loopback ports. */
export class Stack {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  readonly ledgerFile = join(this.folder, 'ledger.db');
  readonly policyFolder = join(this.folder, 'policy');
  readonly logFile = join(this.folder, 'sluice.log');
  /** The address that apps call. */
  url = '';
  adminUrl = '';
  envoyAdminUrl = '';
  readonly #options: StackOptions;
  #address = `unix:${join(this.folder, 'sluice.sock')}`;
  #adminPort = 0;
  #sluice: ChildProcess | null = null;
  #envoy: ChildProcess | null = null;

  constructor(options: StackOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const progress = this.#options.progress ?? ((): void => undefined);
    mkdirSync(this.policyFolder);
    this.writePolicy(this.#options.policy);
    const [listen, envoyAdmin, admin, port] = await freePorts(4);
    if (this.#options.tcp === true) this.#address = `127.0.0.1:${port!}`;
    this.#adminPort = admin!;
    const at = this.#options.listen ?? `127.0.0.1:${listen!}`;
    this.url = `http://${at}`;
    this.envoyAdminUrl = `http://127.0.0.1:${envoyAdmin!}`;
    progress('starting Sluice');
    await this.startSluice();
    progress('starting Envoy');
    await this.#startEnvoy(at, `127.0.0.1:${envoyAdmin!}`);
  }

  /** Writes the policy, and next to it the endpoints it is tested against. */
  writePolicy(text: string): void {
    writeFileSync(join(this.policyFolder, 'policy.yaml'), text);
    const { endpoint } = this.#options;
    if (endpoint === null) return;
    const names = Object.values(dialects).flatMap(({ providers }) => Object.keys(providers));
    writeFileSync(
      join(this.policyFolder, 'zz-endpoints.yaml'),
      stringify({ version: 1, providers: Object.fromEntries(names.map((name) => [name, { endpoint }])) }),
    );
  }

  async startSluice(): Promise<void> {
    const { source = { args: ['--policy', this.policyFolder], env: {} } } = this.#options;
    const args = [
      ...nodeFlags,
      this.#options.supervised === true ? supervisor : entry,
      'serve',
      ...source.args,
      '--listen',
      this.#address,
      '--admin',
      `127.0.0.1:${this.#adminPort}`,
      '--log',
      this.logFile,
      '--ledger',
      this.ledgerFile,
      '--budgets',
      join(this.folder, 'budgets.json'),
      '--grace',
      '5',
      ...(this.#options.serve ?? []),
    ];
    const errors = openSync(join(this.folder, 'sluice.err'), 'a');
    this.#sluice = spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', errors],
      env: { ...process.env, ...this.#options.env, ...source.env },
    });
    this.adminUrl = `http://127.0.0.1:${this.#adminPort}`;
    await this.#until(`${this.adminUrl}/readyz`, this.#sluice, 'sluice.err');
  }

  /** The running Sluice's process id. */
  /** The newest records, newest first. */
  async decisions(limit: number): Promise<ExchangeRecord[]> {
    const answer = await fetch(`${this.adminUrl}/decisions?limit=${limit}`);
    return ((await answer.json()) as { readonly decisions: ExchangeRecord[] }).decisions;
  }

  get sluicePid(): number {
    return this.#sluice?.pid ?? -1;
  }

  /** The running Envoy's process id. */
  get envoyPid(): number {
    return this.#envoy?.pid ?? -1;
  }

  /** Stops Sluice with a signal and waits until it has ended. */
  async stopSluice(signal: NodeJS.Signals): Promise<void> {
    await end(this.#sluice, signal);
    this.#sluice = null;
  }

  async stop(): Promise<void> {
    await end(this.#envoy, 'SIGTERM');
    await end(this.#sluice, 'SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Last resort when the process exits. */
  kill(): void {
    this.#envoy?.kill('SIGKILL');
    this.#sluice?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #startEnvoy(listen: string, admin: string): Promise<void> {
    const binary = this.#options.envoy?.binary ?? (await requireEnvoy());
    const { generation, problems } = compilePolicy(readPolicyFiles(this.policyFolder), { catalog: await loadCatalog() });
    if (generation === null)
      throw new SluiceError('SLUICE_POLICY_INVALID', problems.map(({ message }) => message).join('; '), { where: this.policyFolder });
    const version = this.#options.envoy?.version ?? defaultEnvoyVersion;
    const config = renderEnvoy({
      providers: [...generation.providers.values()],
      sluice: this.#address,
      listen,
      admin,
      ...requestPolicyOf(generation),
      ...(this.#options.failClosed === undefined ? {} : { failClosed: this.#options.failClosed }),
      caFile: '/etc/ssl/certs/ca-certificates.crt',
      otlp: this.#options.otlp ?? null,
      memoryBytes: this.#options.envoyMemoryBytes ?? null,
      abilities: abilitiesOf(version),
      usage: usageModeOf(this.#options.usage ?? 'auto', version, this.#address),
    });
    const file = join(this.folder, 'envoy.json');
    const patience = this.#options.messageTimeout ?? process.env['SLUICE_STACK_MESSAGE_TIMEOUT'];
    const text = JSON.stringify(this.#options.envoyConfig?.(config) ?? config);
    writeFileSync(file, patience === undefined ? text : text.replaceAll(/"message_timeout":"0\.5s"/g, `"message_timeout":"${patience}"`));
    const log = openSync(join(this.folder, 'envoy.log'), 'a');
    this.#envoy = spawn(binary, ['-c', file, '--use-dynamic-base-id', '--concurrency', '2', '--log-level', 'warning'], {
      stdio: ['ignore', log, log],
    });
    await this.#until(`http://${admin}/ready`, this.#envoy, 'envoy.log');
  }

  async #until(url: string, child: ChildProcess, log: string): Promise<void> {
    for (let tries = 0; tries < 400; tries++) {
      if (child.exitCode !== null) break;
      const ok = await fetch(url).then(
        (response) => response.ok,
        () => false,
      );
      if (ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const said = readFileSync(join(this.folder, log), 'utf8').trim().split('\n').slice(-5).join('\n');
    throw new SluiceError('SLUICE_NOT_STARTED', `a process did not become ready:\n${said}\n`, { where: url });
  }
}

async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => child.kill('SIGKILL'), 8_000);
    child.once('exit', () => {
      clearTimeout(force);
      resolve();
    });
    child.kill(signal);
  });
}

/** Ports below the kernel's ephemeral range, so that no connection or listener on a random port takes one before it is used. */
const portRange = { from: 11_000, to: 32_000 };

/** Loopback ports on which nothing listens. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(portRange.from, portRange.to);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
