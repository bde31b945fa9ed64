import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../lib/errors.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { clientsFor, demoRequests, type DemoClients, type DemoRequest } from './requests.ts';
import { howToPoint, policyAtSimulator, showRequests, writeSimulatorKey } from './own-app.ts';
import { ProviderSimulator } from './simulator.ts';
import { Stack } from './stack.ts';
import { renderTable, renderTotals, type DemoRow } from './table.ts';
import { messageOf } from '../lib/message-of.ts';

export interface DemoOptions {
  readonly once: boolean;
  readonly live: boolean;
  /** Sends nothing, and waits for requests of an app of the caller's. */
  readonly app: boolean;
  /** Where Envoy listens; null: on a free port. */
  readonly listen: string | null;
  /** The text of a policy instead of the demo's own. */
  readonly policy: string | null;
}

const policyFile = new URL('./policy.yaml', import.meta.url);

/** Runs the demo; resolves when it is over and all of its processes have ended. */
export async function runDemo({ once, live, app, listen, policy }: DemoOptions): Promise<void> {
  const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const progress = (text: string): void => void process.stderr.write(`· ${text} …\n`);
  const interrupted = signalled();
  const simulator = live ? null : new ProviderSimulator();
  const endpoint = simulator === null ? null : await simulator.listen();
  const keys = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
  const text = policy ?? readFileSync(policyFile, 'utf8');
  const stack = new Stack({
    policy: endpoint === null ? text : policyAtSimulator(text, endpoint, writeSimulatorKey(keys)),
    endpoint: null,
    // A laptop that is busy with something else: the demo shows decisions, not how long Envoy waits for one.
    messageTimeout: '5s',
    progress,
    ...(listen === null ? {} : { listen }),
  });
  const lastResort = (): void => stack.kill();
  process.on('exit', lastResort);
  try {
    await Promise.race([stack.start(), interrupted.promise]);
    if (interrupted.done) return;
    if (app) {
      print(howToPoint(stack));
      await showRequests(stack, { over: () => interrupted.done, print, colour });
      return;
    }
    const clients = clientsFor(stack.url, live ? liveKeys() : { openai: 'sk-demo', anthropic: 'demo', google: 'demo' });
    const rows = await Promise.race([send(clients, stack, progress), interrupted.promise]);
    if (rows === null) return;
    showTable(rows, { live, colour, print });
    const shown = rows.find(({ record }) => record.decision?.action === 'route') ?? rows[0]!;
    if (once) {
      print('Run it without --once to keep it up: metrics, decisions and explain can be tried then.');
      return;
    }
    print(whereToLook(stack, shown.record.id));
    print('\nEverything stays up until Ctrl-C.');
    await interrupted.promise;
  } finally {
    await stack.stop();
    await simulator?.close();
    rmSync(keys, { recursive: true, force: true });
    process.off('exit', lastResort);
    interrupted.release();
  }
}

interface ShowTable {
  readonly live: boolean;
  readonly colour: boolean;
  readonly print: (text: string) => void;
}

function showTable(rows: readonly DemoRow[], { live, colour, print }: ShowTable): void {
  print(`\n${renderTable(rows, colour)}\n\n${renderTotals(rows, colour)}`);
  print(
    live
      ? 'Prices are list prices from the embedded catalog.'
      : 'Answers and token counts are simulated; prices are list prices from the embedded catalog.',
  );
}

function signalled(): { readonly promise: Promise<null>; readonly done: boolean; release(): void } {
  let done = false;
  let fire: () => void = () => undefined;
  const promise = new Promise<null>((resolve) => {
    fire = () => {
      done = true;
      resolve(null);
    };
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, fire);
  return {
    promise,
    get done() {
      return done;
    },
    release: () => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, fire);
    },
  };
}

function liveKeys(): Parameters<typeof clientsFor>[1] {
  const { OPENAI_API_KEY: openai, ANTHROPIC_API_KEY: anthropic, GEMINI_API_KEY: google } = process.env;
  const keys = {
    ...(openai === undefined ? {} : { openai }),
    ...(anthropic === undefined ? {} : { anthropic }),
    ...(google === undefined ? {} : { google }),
  };
  if (Object.keys(keys).length === 0) throw new SluiceError('SLUICE_DEMO_KEYS', 'no key of a provider is in the environment.');
  return keys;
}

async function send(clients: DemoClients, stack: Stack, progress: (text: string) => void): Promise<DemoRow[]> {
  const mine = demoRequests.filter(({ provider }) => clients[provider] !== null);
  const left = new Set(demoRequests.filter(({ provider }) => clients[provider] === null).map(({ provider }) => provider));
  if (left.size > 0) progress(`leaving out ${[...left].join(' and ')}: no key`);
  progress(`sending ${mine.length} requests with the official SDKs`);
  const rows: DemoRow[] = [];
  let told = performance.now();
  const seen = new Set<string>();
  for (const request of mine) {
    if (performance.now() - told > 1_000) {
      progress(`${rows.length} of ${mine.length} answered`);
      told = performance.now();
    }
    const record = await recordOf(request, { clients, stack, seen, progress });
    if (record === null) {
      progress(`${request.title}: no record came`);
      continue;
    }
    seen.add(record.id);
    rows.push({ title: request.title, record });
  }
  return rows;
}

interface Sending {
  readonly clients: DemoClients;
  readonly stack: Stack;
  readonly seen: ReadonlySet<string>;
  readonly progress: (text: string) => void;
}

/** Sends a request and finds its record. Envoy lets a request pass if a busy machine holds Sluice up; that one is sent again. */
async function recordOf(request: DemoRequest, { clients, stack, seen, progress }: Sending): Promise<ExchangeRecord | null> {
  for (let tries = 0; tries < 3; tries++) {
    if (tries > 0) progress(`${request.title}: Envoy let it pass, since Sluice was not in time; sending it again`);
    try {
      await request.run(clients);
    } catch (error) {
      progress(`${request.title}: ${messageOf(error)}`);
    }
    // One request at a time, so the next new record belongs to this request.
    const record = await nextRecord(stack, seen);
    if (record !== null) return record;
  }
  return null;
}

async function nextRecord(stack: Stack, seen: ReadonlySet<string>): Promise<ExchangeRecord | null> {
  for (let tries = 0; tries < 150; tries++) {
    const fresh = (await stack.decisions(3)).find(({ id }) => !seen.has(id));
    if (fresh !== undefined) return fresh;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return null;
}

function whereToLook(stack: Stack, id: string): string {
  return `
Where to look next
  page        ${stack.adminUrl}/
  metrics     curl -s ${stack.adminUrl}/metrics | grep llm_proxy_
  decisions   curl -s '${stack.adminUrl}/decisions?limit=5'
  savings     bin/sluice savings --ledger ${stack.ledgerFile} --window 1h --by model
  explain     bin/sluice explain ${id} --admin ${stack.adminUrl}
  policy      ${stack.policyFolder}/policy.yaml (edits are live within a second)
  call it     curl -si ${stack.url}/v1/chat/completions -H 'content-type: application/json' \\
                -d '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is a CDN?"}]}'`;
}
