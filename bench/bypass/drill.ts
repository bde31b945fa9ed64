import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { Stack } from '../../src/demo/stack.ts';
import { type Got, ScriptedProvider } from '../../test/support/scripted-provider.ts';
import { members } from './members.ts';
import { readable } from './readable.ts';
import { wire } from './wire.ts';
import { allowed, bannedModel, waysAroundBlock, waysAroundBudget, type Way } from './ways.ts';

/** Result of one attempt. `through`: the provider got what it must not get; `sent`: it got anything. */
export interface Tried {
  readonly way: Way;
  readonly status: number;
  readonly through: boolean;
  readonly sent: boolean;
  readonly recorded: boolean;
}

export interface DrillResult {
  readonly block: readonly Tried[];
  readonly budget: readonly Tried[];
  /** Around a rate limit that is reached. */
  readonly limit: readonly Tried[];
  /** Around a mask: `through` if the provider could read the text. */
  readonly mask: readonly Tried[];
  /** Files of Sluice and Envoy that hold the text: log, ledger, counters. */
  readonly kept: readonly string[];
  /** Permitted requests: all must get through. */
  readonly allowed: readonly Tried[];
}

const policy = `version: 1
limits: [ { name: reached, match: { workspace: [reached] }, requests: { day: 1 } } ]
budgets: [ { name: spent, match: { workspace: [spent] }, period: month, usd: 0.000001, unknown: refuse, hard: {} } ]
defaults: { failClosed: true, tiers: [] }
sections:
  - name: dlp
    match: { workspace: [dlp] }
    sensitivity: [ { name: zeus, pattern: 'project zeus', ignoreCase: true, base64: true, then: { block: 'This prompt names a confidential project.' } } ]
    overrides: [ { name: ban, when: { model: [${bannedModel}] }, then: { block: 'Not this model.' } } ]
  - { name: spent, match: { workspace: [spent, reached] }, websockets: allow }
  - name: masked
    match: { workspace: [masked] }
    sensitivity: [ { name: zeus, pattern: 'project zeus', ignoreCase: true, base64: true, then: { mask: true } } ]
`;

/** Tries every way on a real Envoy in front of a real Sluice. */
export async function bypassDrill(): Promise<DrillResult> {
  const provider = new ScriptedProvider();
  const stack = new Stack({ policy, endpoint: await provider.listen(), failClosed: true });
  try {
    await stack.start();
    const tryAll = async (ways: readonly Way[], workspace: string, bad: (got: Got) => boolean = () => true): Promise<Tried[]> => {
      const tried: Tried[] = [];
      for (const way of ways) tried.push(await tryOne(stack, provider, way, workspace, bad));
      return tried;
    };
    const result = {
      block: await tryAll([...waysAroundBlock(), ...members(), ...wire()], 'dlp'),
      budget: await tryAll(waysAroundBudget(), 'spent'),
      limit: (await tryAll([...allowed().slice(0, 1), ...waysAroundBudget().filter(({ kind }) => kind !== 'number')], 'reached')).slice(1),
      mask: await tryAll(
        [...waysAroundBlock(), ...members(), ...wire()].filter((way) => readable(Buffer.from(way.body), way.headers, way.path)),
        'masked',
        ({ raw, headers, path }) => readable(raw, headers, path),
      ),
      allowed: await tryAll(allowed(), 'dlp'),
    };
    await stack.stopSluice('SIGTERM');
    return { ...result, kept: filesWith(stack.folder) };
  } finally {
    await stack.stop();
    await provider.close();
  }
}

/** Files in a stack's folder, policies aside, that hold the text in any spelling that a reader can see. */
function filesWith(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('policy'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((file) => /project[\s%]{0,3}(?:20)?zeus/i.test(readFileSync(file, 'latin1')))
    .map((file) => file.slice(folder.length + 1));
}

async function tryOne(stack: Stack, provider: ScriptedProvider, way: Way, workspace: string, bad: (got: Got) => boolean): Promise<Tried> {
  const before = provider.got.length;
  const { status, id } = await send(stack.url, way, workspace);
  const got = provider.got.slice(before);
  const sent = got.length > 0 || status === 101;
  const recorded = id !== null && (await isRecorded(`${stack.adminUrl}/decisions/${id}`, sent));
  return { way, status, through: status === 101 || got.some(bad), sent, recorded };
}

/** Whether a record exists; for an answered request it is written when the response has ended. */
async function isRecorded(url: string, answered: boolean): Promise<boolean> {
  for (let tries = answered ? 400 : 1; tries > 0; tries--) {
    if ((await fetch(url)).status === 200) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}

/** Sends the request unchanged; status 0 if the connection ended without a response. */
function send(
  url: string,
  { path, method = 'POST', headers = {}, body }: Way,
  workspace: string,
): Promise<{ readonly status: number; readonly id: string | null }> {
  const { port } = new URL(url);
  const chunked = Object.hasOwn(headers, 'transfer-encoding');
  const all = {
    'content-type': 'application/json',
    authorization: 'Bearer app-key',
    'x-sluice-workspace': workspace,
    ...(chunked || body.length === 0 ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const given = Object.fromEntries(
    Object.entries(all)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  );
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port: Number(port), path, method, headers: given, agent: false });
    const over = (status: number, id: string | null): void => {
      resolve({ status, id });
      sent.destroy();
    };
    sent.on('response', (response) => {
      const id = response.headers['x-sluice-decision'];
      response.resume();
      response.on('close', () => over(response.statusCode ?? 0, typeof id === 'string' ? id : null));
    });
    sent.on('upgrade', () => over(101, null));
    sent.on('error', () => over(0, null));
    sent.setTimeout(20_000, () => over(0, null));
    sent.end(body);
  });
}

export const rowHeader = [
  '| around | ways | tried | got through | sent, masked | refused (4xx) | refused (5xx) | left without a record |',
  '|---|---|---|---|---|---|---|---|',
].join('\n');

/** A row of docs/security.md: what the ways lead around, how many of each kind were tried, and what became of them. */
export function rowOf(around: string, tried: readonly Tried[]): string {
  const kindsOf = (some: readonly Tried[]): string =>
    [...Map.groupBy(some, ({ way }) => way.kind)].map(([kind, of]) => `${kind} ${of.length}`).join(', ');
  const count = (is: (one: Tried) => boolean): number => tried.filter(is).length;
  // Envoy answers gRPC with 200 and the status in a header.
  const refused = (low: number, high: number): number => count(({ status, sent }) => !sent && status >= low && status < high);
  const through = tried.filter((one) => one.through);
  const cells = [
    around,
    kindsOf(tried),
    tried.length,
    through.length === 0 ? 0 : `**${kindsOf(through)}**`,
    count((one) => one.sent && !one.through),
    refused(200, 500),
    refused(500, 600),
    count(({ sent, recorded }) => sent && !recorded),
  ];
  return `| ${cells.join(' | ')} |`;
}
