import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts, Stack } from '../../src/demo/stack.ts';
import { fallbackTriggers } from '../../src/policy/types.ts';
import type { ExchangeRecord } from '../../src/record/types.ts';
import { type Behaviour, type Got, ScriptedProvider, status, well } from '../../test/support/scripted-provider.ts';
import { apps } from './apps.ts';
import { cases, type Case } from './cases.ts';
import { answer, counted, errorBody, families, type Family } from './wire.ts';

/** One case, met by one app, with one kind of fallback. */
export interface Cell extends Case {
  readonly id: number;
  readonly family: Family;
  readonly stream: boolean;
  /** The second target speaks another API than the app. */
  readonly crossing: boolean;
}

/** All there are: every case × app × streamed or not × same API or another. */
export const cells: readonly Cell[] = cases
  .flatMap(({ name, make }) =>
    [false, true].flatMap((stream) =>
      [false, true].flatMap((crossing) =>
        families.flatMap((family) => {
          const made = make(family, stream);
          return made === null ? [] : [{ ...made, name, family, stream, crossing }];
        }),
      ),
    ),
  )
  .map((cell, id) => ({ ...cell, id }));

/** The app of each API falls back to the next one's. */
const crossingTo: Readonly<Record<Family, Family>> = { openai: 'anthropic', anthropic: 'google', google: 'openai' };
const modelOf: Readonly<Record<Family, string>> = { openai: 'gpt-4.1-mini', anthropic: 'claude-sonnet-4-6', google: 'gemini-2.5-flash' };
const dialectOf: Readonly<Record<Family, string>> = { openai: 'openai', anthropic: 'anthropic', google: 'gemini' };
/** US dollars per million tokens. */
const prices = { first: { input: 1, output: 2 }, second: { input: 3, output: 4 } } as const;
const costOf = ({ input, output }: { readonly input: number; readonly output: number }): number =>
  (counted.input * input + counted.output * output) / 1e6;
export const attemptSeconds = 0.5;

const capabilities = { tools: true, jsonObject: true, jsonSchema: true, vision: true };

/** A chain whose models are the cell's own, so that no target rests because of another cell. */
interface Chain {
  readonly id: string;
  readonly family: Family;
  readonly second: Family;
  readonly firstProvider: string;
  readonly narrowNext: boolean;
}

export const asked = (id: string): string => `asked-${id}`;
const firstModel = ({ id, family }: Pick<Chain, 'id' | 'family'>): string => `${modelOf[family]}-${id}-first`;
const secondModel = ({ id, second }: Pick<Chain, 'id' | 'second'>): string => `${modelOf[second]}-${id}-second`;

function chainOf(cell: Cell): Chain {
  const { id, family, crossing, first, narrowNext } = cell;
  return {
    id: String(id),
    family,
    second: crossing ? crossingTo[family] : family,
    firstProvider: first === 'own' ? family : `${family}-${first}${first === 'other' ? `-${id}` : ''}`,
    narrowNext: narrowNext === true,
  };
}

/** Chains for timing: the first target fails or not, as often as is said. */
function timedChains(repeats: number): Chain[] {
  return families.flatMap((family) =>
    [family, crossingTo[family]].flatMap((second) =>
      Array.from({ length: repeats }, (_, at) => ({
        id: `t-${family}-${second}-${at}`,
        family,
        second,
        firstProvider: family,
        narrowNext: false,
      })),
    ),
  );
}

/**
 * What the fallback itself cost, ms: how much longer the app waited than for an answer at the first attempt, less what the failed attempt
 * took at its provider.
 */
export interface OwnTime {
  readonly family: Family;
  readonly crossing: boolean;
  readonly stream: boolean;
  /** Median without a failure: to the answer's end, or to a stream's beginning. */
  readonly plainMs: number;
  readonly failedMs: number;
  readonly addedMs: number;
}

/** A real Envoy and a real Sluice before three providers that do as they are told. */
export class FallbackDrill {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-drill-'));
  readonly #providers: Readonly<Record<Family, ScriptedProvider>> = {
    openai: new ScriptedProvider(),
    anthropic: new ScriptedProvider(),
    google: new ScriptedProvider(),
  };
  readonly #behaviours = new Map<string, Behaviour>();
  /** In the order of their coming, at whichever provider. */
  readonly #reached: Got[] = [];
  readonly #repeats: number;
  #stack: Stack | null = null;

  /** `repeats`: how many requests are timed of each kind; 0: none. */
  constructor(repeats = 0) {
    this.#repeats = repeats;
  }

  async start(): Promise<void> {
    const [dead] = await freePorts(1);
    const providers: Record<string, object> = {};
    for (const family of families) {
      const provider = this.#providers[family];
      provider.behaviour = (got, response, done) => {
        this.#reached.push(got);
        return (this.#behaviours.get(got.model) ?? well)(got, response, done);
      };
      const endpoint = await provider.listen();
      // A rejected key puts its whole provider into cooldown, so every cell has its own provider.
      const others = cells
        .map(chainOf)
        .flatMap(({ firstProvider }) => (firstProvider.startsWith(`${family}-other`) ? [[firstProvider, endpoint] as const] : []));
      for (const [name, url] of [[family, endpoint], ...others, [`${family}-dead`, `http://127.0.0.1:${dead!}`]] as const) {
        const credentialFile = join(this.#folder, name);
        writeFileSync(credentialFile, `key-of-${name}`);
        providers[name] = { endpoint: url, dialect: dialectOf[family], catalog: family, credentialFile };
      }
    }
    this.#stack = new Stack({ policy: stringify(this.#policy(providers), { aliasDuplicateObjects: false }), endpoint: null });
    await this.#stack.start();
  }

  async stop(): Promise<void> {
    await this.#stack?.stop();
    await Promise.all(families.map((family) => this.#providers[family].close()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Plays one cell. Resolves with a text per violation; empty if there are none. */
  async play(cell: Cell): Promise<string[]> {
    const chain = chainOf(cell);
    const right = cell.asks === 'json' ? `{"answer":"of ${cell.id}"}` : `answer of ${cell.id}`;
    this.#behaviours.set(firstModel(chain), cell.behaviour);
    this.#behaviours.set(secondModel(chain), answer(chain.second, cell.stream, right));
    const wrong: string[] = [];
    const check = (what: string, seen: unknown, wanted: unknown): void => {
      if (JSON.stringify(seen) !== JSON.stringify(wanted))
        wrong.push(`${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
    };
    const got = await apps[cell.family](this.#stack!.url, asked(chain.id), cell.stream, cell.asks).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
    const record = await this.#record(chain, check);
    if (record === null) return wrong;
    check('an error', got instanceof Error, cell.expected === 'error');
    if (cell.expected === 'next' && !(got instanceof Error)) check('answer', got, { text: right, output: counted.output });
    check(
      'attempts',
      record.attempts.map(({ target, reason }) => [target.model, reason]),
      cell.expected === 'next'
        ? [
            [firstModel(chain), cell.reason],
            [secondModel(chain), null],
          ]
        : [[firstModel(chain), null]],
    );
    check('cost', record.cost.known ? Number(record.cost.usd.toFixed(9)) : null, costOfCell(cell.cost));
    const reached = this.#reached.filter(({ model }) => model === firstModel(chain) || model === secondModel(chain));
    check(
      'requests at providers',
      reached.map(({ model }) => model),
      [...(cell.first === 'dead' ? [] : [firstModel(chain)]), ...(cell.expected === 'next' ? [secondModel(chain)] : [])],
    );
    for (const { headers, model } of reached) {
      const own = (model === firstModel(chain) ? chain.firstProvider === cell.family : !cell.crossing) ? 'sk-app' : 'key-of-';
      const other = own === 'sk-app' ? 'key-of-' : 'sk-app';
      check('the right key', [JSON.stringify(headers).includes(own), JSON.stringify(headers).includes(other)], [true, false]);
    }
    return wrong;
  }

  /** Times chains whose first target fails at once against chains without failures. */
  async ownTime(): Promise<OwnTime[]> {
    const times: OwnTime[] = [];
    for (const family of families) {
      for (const second of [family, crossingTo[family]]) {
        for (const stream of [false, true]) times.push(await this.#timed(family, second, stream));
      }
    }
    return times;
  }

  async #timed(family: Family, second: Family, stream: boolean): Promise<OwnTime> {
    const samples = { plain: [] as number[], failed: [] as number[], provider: [] as number[] };
    for (let at = 0; at < this.#repeats; at++) {
      const chain: Chain = { id: `t-${family}-${second}-${at}`, family, second, firstProvider: family, narrowNext: false };
      this.#behaviours.set(secondModel(chain), answer(second, stream, 'the answer'));
      // Alternating, so that both kinds meet the same machine. Fresh connections are no part of it: the first rounds are not counted.
      for (const fails of [false, true]) {
        this.#behaviours.set(firstModel(chain), (got, response, done) => {
          const begun = performance.now();
          response.once('finish', () => fails && samples.provider.push(performance.now() - begun));
          return (fails ? status(503, errorBody(family, 'broken')) : answer(family, stream, 'the answer'))(got, response, done);
        });
        const ms = await this.#raw(family, asked(chain.id), stream, fails ? '2' : '1');
        if (at >= 5) samples[fails ? 'failed' : 'plain'].push(ms);
      }
    }
    const [plainMs, failedMs, providerMs] = [median(samples.plain), median(samples.failed), median(samples.provider)];
    return { family, crossing: family !== second, stream, plainMs, failedMs, addedMs: failedMs - plainMs - providerMs };
  }

  /** Milliseconds to the end of a whole answer, or to the beginning of a stream. Without an SDK, whose own time would blur it. */
  async #raw(family: Family, model: string, stream: boolean, attempts: string): Promise<number> {
    const messages = [{ role: 'user', content: 'What is a CDN?' }];
    const calls: Readonly<Record<Family, readonly [string, object]>> = {
      openai: ['/v1/chat/completions', { model, stream, messages, ...(stream ? { stream_options: { include_usage: true } } : {}) }],
      anthropic: ['/v1/messages', { model, stream, max_tokens: 100, messages }],
      google: [
        `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
        { contents: [{ role: 'user', parts: [{ text: 'What is a CDN?' }] }] },
      ],
    };
    const [path, body] = calls[family];
    const begun = performance.now();
    const response = await fetch(`${this.#stack!.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const toHeaders = performance.now() - begun;
    const text = await response.text();
    const toEnd = performance.now() - begun;
    if (!response.ok || response.headers.get('x-sluice-attempts') !== attempts)
      throw new Error(
        `the drill's timing got ${response.status} at attempt ${response.headers.get('x-sluice-attempts') ?? '?'}: ${text.slice(0, 200)}`,
      );
    return stream ? toHeaders : toEnd;
  }

  async #record(chain: Chain, check: (what: string, seen: unknown, wanted: unknown) => void): Promise<ExchangeRecord | null> {
    for (let tries = 0; tries < 100; tries++) {
      const { decisions } = (await fetch(`${this.#stack!.adminUrl}/decisions?model=${asked(chain.id)}&limit=5`).then((response) =>
        response.json(),
      )) as { readonly decisions: readonly ExchangeRecord[] };
      if (decisions.length > 0) {
        check('records', decisions.length, 1);
        return decisions[0]!;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    check('records', 0, 1);
    return null;
  }

  #policy(providers: Readonly<Record<string, object>>): object {
    const chains = [...cells.map(chainOf), ...timedChains(this.#repeats)];
    const models: Record<Family, Record<string, object>> = { openai: {}, anthropic: {}, google: {} };
    for (const chain of chains) {
      models[chain.family][firstModel(chain)] = { ...prices.first, contextWindow: 100_000, maxOutput: 10_000, capabilities };
      models[chain.family][asked(chain.id)] = { ...prices.first, contextWindow: 100_000 };
      models[chain.second][secondModel(chain)] = {
        ...prices.second,
        contextWindow: chain.narrowNext ? 100_000 : 200_000,
        maxOutput: 10_000,
        capabilities,
      };
    }
    return {
      version: 1,
      providers,
      catalog: { overrides: models },
      defaults: {
        allowProviders: Object.keys(providers),
        candidates: { simple: ['openai/gpt-4.1-nano'], standard: ['openai/gpt-4.1-mini'], complex: ['openai/gpt-4.1'] },
        overrides: chains.map((chain) => ({
          name: `chain-${chain.id}`,
          when: { model: [asked(chain.id)] },
          then: { model: `${chain.firstProvider}/${firstModel(chain)}`, fallback: [`${chain.second}/${secondModel(chain)}`] },
        })),
        fallback: { attempts: 2, attemptSeconds, on: [...fallbackTriggers] },
      },
    };
  }
}

function costOfCell(cost: Cell['cost']): number | null {
  switch (cost) {
    case 'unknown':
      return null;
    case 'nothing':
      return 0;
    case 'first':
      return Number(costOf(prices.first).toFixed(9));
    case 'second':
      return Number(costOf(prices.second).toFixed(9));
    case 'both':
      return Number((costOf(prices.first) + costOf(prices.second)).toFixed(9));
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
