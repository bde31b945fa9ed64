import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Stack } from '../../src/demo/stack.ts';
import { seeded } from '../../src/router/training/random.ts';
import { openDatabase } from '../../src/ledger/sqlite/database.ts';
import { type Behaviour, type Got, hangs, resets, ScriptedProvider, status } from '../../test/support/scripted-provider.ts';
import { answer, errorBody, errorEvent, type Family } from './wire.ts';

export interface FlapOptions {
  readonly clients: number;
  readonly seconds: number;
  /** Decides how targets flap; the requests' own times are the machine's. */
  readonly seed: number;
}

export interface FlapReport {
  readonly sent: number;
  /** Answered whole, with the request's own words. */
  readonly answered: number;
  /** Of these, answered by a target other than the first. */
  readonly byFallback: number;
  /** Streams that their provider cut after the first words, and that said so to the app. */
  readonly cut: number;
  /**
   * Passed to the model that the app asked for, because Sluice did not answer Envoy in time on a busy machine: fail open, as configured.
   */
  readonly undecided: number;
  /** Requests that reached some provider. */
  readonly attempts: number;
  /** Violations, as texts; at most 20. */
  readonly violations: readonly string[];
}

interface Target {
  readonly provider: string;
  readonly family: Family;
  readonly model: string;
  /** Never flaps, so that every request has a target that can answer it. */
  readonly steady: boolean;
}

/** Number of independently failing models: so many that enough are left to fail while others cool down. */
const groups = 60;

const steady = {
  mini: { provider: 'openai', family: 'openai', model: 'gpt-4.1-mini', steady: true },
  large: { provider: 'mistral', family: 'openai', model: 'mistral-large-latest', steady: true },
  flash: { provider: 'google', family: 'google', model: 'gemini-2.5-flash', steady: true },
} as const satisfies Readonly<Record<string, Target>>;

const requested = (group: number): string => `gpt-4.1-${group}-asked`;
const flapping = (group: number): readonly [Target, Target, Target] => [
  { provider: 'openai', family: 'openai', model: `gpt-4.1-nano-${group}`, steady: false },
  { provider: 'mistral', family: 'openai', model: `mistral-small-${group}`, steady: false },
  { provider: 'anthropic', family: 'anthropic', model: `claude-haiku-4-5-${group}x`, steady: false },
];

/** Chains by workspace; only what stands here may answer it. The last one never fails. */
const workspaces: Readonly<Record<string, (group: number) => readonly Target[]>> = {
  home: (group) => [flapping(group)[0], steady.mini],
  europe: (group) => [...flapping(group).slice(0, 2), steady.large],
  wide: (group) => [...flapping(group), steady.flash],
};
const all = Array.from({ length: groups }, (_, group) => group);
const providers: Readonly<Record<string, { readonly family: Family; readonly dialect: string }>> = {
  openai: { family: 'openai', dialect: 'openai' },
  mistral: { family: 'openai', dialect: 'openai' },
  anthropic: { family: 'anthropic', dialect: 'anthropic' },
  google: { family: 'google', dialect: 'gemini' },
};

const attemptSeconds = 2;
const word = /nonce-[0-9a-f]{16}/;
const line = /^echo (nonce-[0-9a-f]{16}) from (\S+) end$/;

/**
 * Clients that ask without pause while targets fail in every way at random: no answer may be lost, doubled, mixed, or come from a target
 * that its policy does not list.
 */
export async function flapDrill({ clients, seconds, seed }: FlapOptions): Promise<FlapReport> {
  const random = seeded(seed);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-flap-'));
  const servers = new Map<string, ScriptedProvider>();
  const violations: string[] = [];
  const violate = (what: string): void => {
    if (violations.length < 20) violations.push(what);
  };
  /** How often each target got each request. */
  const reached = new Map<string, number>();
  const cutAtProvider = new Set<string>();
  let mood = new Map<string, string>();
  const flap = (): void => {
    mood = new Map(all.flatMap(flapping).map(({ model }) => [model, moods[Math.floor(random() * moods.length)]!]));
  };
  flap();

  const behave: (family: Family) => Behaviour = (family) => (got, response, done) => {
    const nonce = word.exec(got.body)?.[0] ?? 'none';
    const key = `${nonce} ${got.model}`;
    const times = (reached.get(key) ?? 0) + 1;
    reached.set(key, times);
    if (times > 1) violate(`${got.model} got ${nonce} ${times} times`);
    const stream = streams(got);
    const is = mood.get(got.model) ?? 'well';
    if (is === 'cut' && stream) cutAtProvider.add(nonce);
    return behaviourOf(is, family, stream, `echo ${nonce} from ${got.model} end`)(got, response, done);
  };

  const entries: Record<string, object> = {};
  for (const [name, { family, dialect }] of Object.entries(providers)) {
    const server = new ScriptedProvider();
    server.behaviour = behave(family);
    servers.set(name, server);
    const credentialFile = join(folder, name);
    writeFileSync(credentialFile, `key-of-${name}`);
    entries[name] = { endpoint: await server.listen(), dialect, credentialFile };
  }
  const stack = new Stack({ policy: stringify(policyOf(entries), { aliasDuplicateObjects: false }), endpoint: null });
  const report = { sent: 0, answered: 0, byFallback: 0, cut: 0, undecided: 0 };
  const ids: string[] = [];
  try {
    await stack.start();
    const until = performance.now() + seconds * 1_000;
    const flapping = setInterval(flap, 250);
    const client = async (at: number): Promise<void> => {
      const names = Object.keys(workspaces);
      while (performance.now() < until) {
        const workspace = names[(at + report.sent) % names.length]!;
        const stream = (at + report.sent) % 2 === 0;
        const group = Math.floor(random() * groups);
        const chain = workspaces[workspace]!(group);
        const nonce = `nonce-${randomBytes(8).toString('hex')}`;
        report.sent++;
        const got = await ask(stack.url, workspace, requested(group), nonce, stream);
        if (got.id !== null) ids.push(got.id);
        const said = line.exec(got.text);
        if (got.complete && said !== null && got.id === null && said[1] === nonce && said[2] === requested(group)) {
          report.undecided++;
        } else if (got.complete && said !== null) {
          report.answered++;
          if (said[2] !== chain[0]!.model) report.byFallback++;
          if (said[1] !== nonce) violate(`${nonce} got the answer to ${said[1]!}`);
          if (!chain.some(({ model }) => model === said[2])) violate(`${workspace} was answered by ${said[2]!}`);
          if (got.model !== said[2]) violate(`${nonce} was told ${got.model ?? 'nothing'} and answered by ${said[2]!}`);
        } else if (
          stream &&
          cutAtProvider.has(nonce) &&
          !got.complete &&
          `echo ${nonce} from`.startsWith(got.text.slice(0, `echo ${nonce} from`.length))
        ) {
          report.cut++;
        } else {
          violate(
            `${workspace}, ${stream ? 'streamed' : 'whole'}, ${nonce}: ${got.status} ${got.complete ? 'complete' : 'broken off'}: ${got.text.slice(0, 160)}`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: clients }, (_, at) => client(at)));
    clearInterval(flapping);
    await stack.stopSluice('SIGTERM');
    countRecords(stack.ledgerFile, ids, report.sent - report.undecided, violate);
  } finally {
    await stack.stop();
    for (const server of servers.values()) await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return { ...report, attempts: [...reached.values()].reduce((sum, times) => sum + times, 0), violations };
}

/** How a target is for a quarter of a second. Well about half of the time. */
const moods = [
  'well',
  'well',
  'well',
  'well',
  'well',
  'well',
  '500',
  '503',
  '429',
  '529',
  'reset',
  'hang',
  'empty',
  'stream-error',
  'cut',
  'slow',
] as const;

function behaviourOf(is: string, family: Family, stream: boolean, text: string): Behaviour {
  switch (is) {
    case '500':
    case '503':
      return status(Number(is), errorBody(family, 'broken'));
    case '429':
      return status(429, errorBody(family, 'slow down'), { 'retry-after': '0' });
    case '529':
      return status(529, errorBody(family, 'busy'));
    case 'reset':
      return resets;
    case 'hang':
      return hangs;
    case 'empty':
      return stream ? answer(family, stream, text) : answer(family, stream, '');
    case 'stream-error':
      return stream ? errorEvent(family) : status(500, errorBody(family, 'broken'));
    case 'cut':
      return stream ? answer(family, true, text, { cut: true }) : answer(family, false, text);
    case 'slow':
      return async (got, response, done) => {
        await new Promise((resolve) => setTimeout(resolve, 400));
        return answer(family, stream, text)(got, response, done);
      };
    default:
      return answer(family, stream, text);
  }
}

function streams({ body, path }: Got): boolean {
  return /"stream"\s*:\s*true/.test(body) || path.includes('streamGenerateContent');
}

interface Answered {
  readonly status: number;
  readonly text: string;
  /** It ended as its API's answers end. */
  readonly complete: boolean;
  readonly id: string | null;
  readonly model: string | null;
}

/** One request of an app that calls OpenAI's chat API. */
async function ask(url: string, workspace: string, model: string, nonce: string, stream: boolean): Promise<Answered> {
  let status = 0;
  let headers = new Headers();
  let raw = '';
  let whole = true;
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', 'x-sluice-workspace': workspace },
      body: JSON.stringify({
        model,
        stream,
        ...(stream ? { stream_options: { include_usage: true } } : {}),
        messages: [{ role: 'user', content: `What is ${nonce}?` }],
      }),
    });
    ({ status, headers } = response);
    const decoder = new TextDecoder();
    if (response.body !== null) for await (const chunk of response.body) raw += decoder.decode(chunk as Uint8Array, { stream: true });
  } catch {
    whole = false;
  }
  const facts = { status, id: headers.get('x-sluice-decision'), model: headers.get('x-sluice-model') };
  if (!stream) {
    const parsed =
      whole && status === 200
        ? (JSON.parse(raw) as { readonly choices?: readonly { readonly message: { readonly content: string | null } }[] })
        : null;
    return { ...facts, text: parsed?.choices?.[0]?.message.content ?? raw, complete: parsed?.choices !== undefined };
  }
  const text = [...raw.matchAll(/^data: (\{.*\})$/gm)]
    .map(
      ([, json]) =>
        (JSON.parse(json!) as { readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[] }).choices?.[0]
          ?.delta?.content ?? '',
    )
    .join('');
  // False for an error event, a second appended answer, or a stream that ends early.
  const complete =
    whole && status === 200 && raw.trimEnd().endsWith('data: [DONE]') && raw.split('data: [DONE]').length === 2 && !raw.includes('"error"');
  return { ...facts, text: text === '' ? raw : text, complete };
}

/** Checks that every sent request has exactly one record, and that there are no others. */
function countRecords(file: string, ids: readonly string[], sent: number, violate: (what: string) => void): void {
  const db = openDatabase(file, 'readonly');
  try {
    const held = db
      .prepare<[], { id: string; times: number }>(`SELECT id, count(*) AS times FROM entries WHERE kind = 'exchange' GROUP BY id`)
      .all();
    for (const { id, times } of held) if (times !== 1) violate(`${id} has ${times} records`);
    if (held.length !== sent) violate(`${sent} decided requests left ${held.length} records`);
    const known = new Set(held.map(({ id }) => id));
    for (const id of ids) if (!known.has(id)) violate(`${id} has no record`);
  } finally {
    db.close();
  }
}

function policyOf(entries: Readonly<Record<string, object>>): object {
  const name = ({ provider, model }: Target): string => `${provider}/${model}`;
  const facts = {
    input: 1,
    output: 2,
    contextWindow: 100_000,
    maxOutput: 10_000,
    capabilities: { tools: true, jsonObject: true, jsonSchema: true },
  };
  const overrides: Record<string, Record<string, object>> = { openai: {}, mistral: {}, anthropic: {} };
  for (const group of all) {
    overrides['openai']![requested(group)] = facts;
    for (const { provider, model } of flapping(group)) overrides[provider]![model] = facts;
  }
  return {
    version: 1,
    providers: entries,
    catalog: { overrides },
    defaults: {
      allowProviders: Object.keys(entries),
      candidates: { simple: [name(steady.mini)], standard: [name(steady.mini)], complex: [name(steady.mini)] },
    },
    sections: Object.entries(workspaces).map(([workspace, chainOf]) => ({
      name: workspace,
      match: { workspace: [workspace] },
      overrides: all.map((group) => {
        const [first, ...rest] = chainOf(group);
        return { name: `group-${group}`, when: { model: [requested(group)] }, then: { model: name(first!), fallback: rest.map(name) } };
      }),
      fallback: {
        attempts: 4,
        attemptSeconds,
        on: ['connect', 'reset', 'timeout', 'server-error', 'rate-limit', 'overloaded', 'empty', 'stream-error'],
      },
    })),
  };
}
