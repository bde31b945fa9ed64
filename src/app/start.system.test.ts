import { allAbilities } from '../attach/abilities.ts';
import { createHook } from 'node:async_hooks';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SluiceOptions } from './options.ts';
import { startSluice } from './start.ts';

let folder: string;
/** Whoever holds a port or a socket that a start wants. */
const holders: Server[] = [];

/** All that can be kept is kept in `folder`. */
function options(changes: Partial<SluiceOptions> = {}): SluiceOptions {
  return {
    policy: file('policy.yaml', 'version: 1\ndefaults: { mode: enabled }\n'),
    policyConfigMaps: null,
    policyUrl: null,
    policyKept: join(folder, 'kept.json'),
    requestIdHeader: null,
    catalog: null,
    model: null,
    embedding: null,
    learningState: join(folder, 'learning.json'),
    catalogSource: null,
    catalogIntervalMs: 60_000,
    webhook: null,
    certificates: null,
    spareEndpoints: null,
    envoy: null,
    envoyMemoryBytes: null,
    listen: `unix:${join(folder, 'sluice.sock')}`,
    transport: 'frames',
    transportMemoryBytes: 256 * 1024 * 1024,
    maxDelayMs: 100,
    admin: '127.0.0.1:0',
    metrics: '127.0.0.1:0',
    adminToken: null,
    maskKey: null,
    cacheMemoryBytes: 1_000_000,
    cacheRedis: null,
    budgets: { file: join(folder, 'budgets.json'), required: true, redis: null },
    state: join(folder, 'state.json'),
    log: join(folder, 'sluice.log'),
    logLevel: 'info',
    logShare: 1,
    ledger: { file: join(folder, 'ledger.db'), passwordFile: null, required: true, retentionDays: 7, keyFile: null },
    records: 'off',
    ...changes,
  };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Listens as somebody else would; resolves with the port, or 0 for a path. */
async function hold(at: { readonly path: string } | { readonly port: number; readonly host: string }): Promise<number> {
  const server = createServer();
  held.looks = false;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, resolve);
  });
  held.looks = true;
  holders.push(server);
  return 'path' in at ? 0 : (server.address() as AddressInfo).port;
}

/** What the process holds: timers and handles by where they were made, threads, and files of `folder`. */
class Held {
  /** False while this test listens itself. */
  looks = true;
  readonly #open = new Map<number, string>();
  readonly #workers: Worker[] = [];
  readonly #noteWorker = (worker: Worker): void => void this.#workers.push(worker);
  readonly #hook = createHook({
    init: (id, type) => {
      if (!/^(?:Timeout|Immediate|TCPSERVERWRAP|PIPESERVERWRAP|FSEVENTWRAP|STATWATCHER|ELDHISTOGRAM|FILEHANDLE)$/.test(type)) return;
      const where = new Error().stack?.split('\n').find((line) => line.includes('/src/') && !line.includes('.test.ts'));
      // A name is looked up before a server listens: nobody's code is on the stack then.
      if (where !== undefined || (type.includes('SERVERWRAP') && this.looks)) this.#open.set(id, `${type} ${where?.trim() ?? ''}`);
    },
    destroy: (id) => void this.#open.delete(id),
  });

  start(): void {
    process.on('worker', this.#noteWorker);
    this.#hook.enable();
  }

  stop(): void {
    this.#hook.disable();
    process.off('worker', this.#noteWorker);
  }

  now(): string[] {
    const files = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`);
        return path.startsWith(folder) ? [path] : [];
      } catch {
        return [];
      }
    });
    const threads = this.#workers.filter(({ threadId }) => threadId !== -1).map(({ threadId }) => `thread ${threadId}`);
    return [...this.#open.values(), ...threads, ...files];
  }
}

const held = new Held();

const lastLine = (): Readonly<Record<string, unknown>> =>
  JSON.parse(readFileSync(join(folder, 'sluice.log'), 'utf8').trim().split('\n').at(-1)!) as Readonly<Record<string, unknown>>;

describe.skipIf(process.platform !== 'linux')('a start', () => {
  beforeAll(async () => {
    // What libraries make once, when they are loaded, is nobody's to close.
    folder = mkdtempSync(join(tmpdir(), 'sluice-start-'));
    for (const listen of [`unix:${join(folder, 'sluice.sock')}`, '127.0.0.1:0']) await (await startSluice(options({ listen }))).close(0);
    rmSync(folder, { recursive: true });
    held.start();
  });

  afterAll(() => held.stop());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-start-'));
  });

  afterEach(async () => {
    for (const server of holders.splice(0)) await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  const emptyAgain = (): Promise<void> => expect.poll(() => held.now(), { timeout: 10_000 }).toEqual([]);

  it.each(['unix', 'tcp'])('that goes well holds much, and its end nothing (%s)', async (kind) => {
    const sluice = await startSluice(options(kind === 'unix' ? {} : { listen: '127.0.0.1:0' }));
    // The ledger starts its threads when they are needed.
    expect((await fetch(`${sluice.adminUrl}/savings?window=1h`)).status).toBe(200);
    const holds = held.now().join('\n');
    // What this test would not see it could not miss.
    for (const kindOf of ['Timeout', 'thread', 'FSEVENTWRAP', 'TCPSERVERWRAP', join(folder, 'sluice.log')]) expect(holds).toContain(kindOf);
    await sluice.close(1_000);
    await emptyAgain();
    expect(lastLine()).toMatchObject({ msg: 'stopped' });
    expect(existsSync(join(folder, 'sluice.sock'))).toBe(false);
  });

  const points: readonly (readonly [string, string, () => SluiceOptions | Promise<SluiceOptions>])[] = [
    ['its log cannot be written', 'SLUICE_FILE_UNWRITABLE', () => options({ log: join(file('no-folder', ''), 'sluice.log') })],
    ['its catalog is none', 'SLUICE_CATALOG', () => options({ catalog: file('catalog.yaml', 'models: 7') })],
    ['its policy is wrong', 'SLUICE_POLICY', () => options({ policyKept: null, policy: file('wrong.yaml', 'version: 99') })],
    [
      'its ledger cannot be opened',
      'SLUICE_LEDGER',
      () => options({ ledger: { ...options().ledger, file: join(file('no-folder', ''), 'ledger.db') } }),
    ],
    ['what it learnt is damaged', 'SLUICE_LEARNING_STATE', () => options({ learningState: file('damaged.json', '{') })],
    ['its sentence model is not there', 'SLUICE_EMBEDDING', () => options({ embedding: join(folder, 'none') })],
    ['its model is none', 'SLUICE_', () => options({ model: file('model.bin', 'none') })],
    [
      'its budgets cannot be kept',
      'SLUICE_',
      () => options({ budgets: { file: join(file('no-folder', ''), 'budgets.json'), required: true, redis: null } }),
    ],
    [
      'its webhooks have no certificate',
      'SLUICE_WEBHOOK_TLS',
      () => options({ webhook: { listen: '127.0.0.1:0', tls: folder, sidecar: null, egress: null } }),
    ],
    [
      'the port of its admin server is taken',
      'SLUICE_LISTEN',
      async () => options({ admin: `127.0.0.1:${await hold({ host: '127.0.0.1', port: 0 })}` }),
    ],
    [
      'the port of its metrics is taken',
      'SLUICE_LISTEN',
      async () => options({ metrics: `127.0.0.1:${await hold({ host: '127.0.0.1', port: 0 })}` }),
    ],
    [
      'its socket is taken',
      'SLUICE_LISTEN',
      async () => {
        await hold({ path: join(folder, 'taken.sock') });
        return options({ listen: `unix:${join(folder, 'taken.sock')}` });
      },
    ],
    ['its port is taken', 'SLUICE_LISTEN', async () => options({ listen: `127.0.0.1:${await hold({ host: '127.0.0.1', port: 0 })}` })],
    [
      "Envoy's config cannot be written",
      '',
      () => {
        mkdirSync(join(folder, 'envoy'));
        // Its files are renamed into place: a folder stands in the way.
        mkdirSync(join(folder, 'envoy', 'bootstrap.json', 'in-the-way'), { recursive: true });
        return options({ envoy: envoyOptions() });
      },
    ],
  ];

  it.each(points)('that fails since %s closes what it had opened', async (_name, code, make) => {
    const failing = await make();
    const error = await startSluice(failing).then(
      () => null,
      (reason: unknown) => reason as Error & { readonly code?: string },
    );
    expect(error).not.toBeNull();
    expect(error!.code ?? error!.message).toContain(code);
    await emptyAgain();
    expect(existsSync(join(folder, 'sluice.sock'))).toBe(false);
    // Nothing of it is in the way of the next start.
    await (await startSluice(options())).close(0);
    await emptyAgain();
  });
});

function envoyOptions(): NonNullable<SluiceOptions['envoy']> {
  return {
    folder: join(folder, 'envoy'),
    sluice: `unix:${join(folder, 'sluice.sock')}`,
    listen: '127.0.0.1:10000',
    admin: '127.0.0.1:9901',
    caFile: '/etc/ssl/certs/ca-certificates.crt',
    abilities: allAbilities,
    usage: 'observe',
    status: null,
    otlp: null,
    memoryBytes: null,
    tls: null,
    spare: false,
  };
}
