import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExchangeRecord } from '../../src/record/types.ts';
import { Clients, models, run, tools } from './stack.ts';

/** How calls go: past Sluice, and through it. */
const modes = ['direct', 'plain', 'routed', 'cached', 'cached again', 'crossed'] as const;
type Mode = (typeof modes)[number];

interface Seen {
  readonly object: unknown;
  readonly said: { readonly text: string | null; readonly tool: readonly [string, unknown] | null };
}
type Calls = Readonly<Record<string, Seen>>;
type Found = Readonly<Record<string, Readonly<Record<Mode, Calls>>>>;

const clients = new Clients();
let found: Found = {};

const libraries = [
  'openai',
  'anthropic',
  'google-genai',
  'langchain',
  'llama-index',
  'pydantic-ai',
  'instructor',
  'litellm',
  'openai-agents',
  'ai-sdk',
  'langchain-js',
] as const;

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

beforeAll(async () => {
  await clients.start();
  const input = JSON.stringify(
    modes.map((mode) => {
      const own = { 'x-sluice-workspace': mode.split(' ')[0] };
      return {
        mode,
        base: mode === 'direct' ? clients.direct : clients.stack.url,
        headers: own,
        anthropicHeaders: mode === 'crossed' ? { 'x-sluice-workspace': 'to-openai' } : own,
        models,
      };
    }),
  );
  // Modules are looked for beside the file.
  copyFileSync(here('javascript.js'), `${tools}js/calls.js`);
  const [python, javascript] = [
    await run(`${tools}python/bin/python`, [here('python.py')], { input }),
    await run(process.execPath, [`${tools}js/calls.js`], { input }),
  ];
  for (const { code, out, err } of [python, javascript]) {
    if (code !== 0) throw new Error(err);
    found = { ...found, ...(JSON.parse(out) as Found) };
  }
});

afterAll(() => clients.stop());

/** What a library makes up itself, or takes from the connection. */
const volatile: ReadonlySet<string> = new Set(['sdk_http_response', '_request_id', 'request_id', 'headers']);

/** All values of a parsed object; without those of no meaning. */
function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stable);
  if (typeof value !== 'object' || value === null) return typeof value === 'string' && /^(?:lc_)?run-/.test(value) ? 'run' : value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, inner]) => (volatile.has(key) ? [] : [[key, stable(inner)]])));
}

/** The members and types of a parsed object; what is null or empty is not there. */
function shape(value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : [shape(value[0])];
  if (typeof value !== 'object') return typeof value;
  const members = Object.entries(value)
    // Whether a model thinks is its own affair.
    .filter(([key]) => !volatile.has(key) && key !== 'reasoning')
    .map(([key, inner]) => [key, shape(inner)] as const)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

function objects(calls: Calls, of: (value: unknown) => unknown): unknown {
  return Object.fromEntries(Object.entries(calls).map(([name, { object }]) => [name, of(object)]));
}

/** Texts where the direct calls have texts, and the same calls of tools. */
function expectAlike(made: Calls, direct: Calls): void {
  for (const [name, { said }] of Object.entries(direct)) {
    expect([name, typeof made[name]?.said.text, made[name]?.said.tool]).toEqual([name, typeof said.text, said.tool]);
    if (said.text !== null) expect(made[name]?.said.text).not.toBe('');
  }
}

/** The models that routed calls get. */
const cheaper: Readonly<Record<string, string>> = {
  [models.openai]: 'gpt-4.1-nano',
  [models.anthropic]: 'claude-haiku-4-5',
  [models.google]: 'gemini-2.5-flash-lite',
};

/** Why a request may stay with its own API: the other model costs more for it, answers less at most, or has no place for its schema. */
function mayStay({ decision, request }: ExchangeRecord): boolean {
  const why = new Set(decision!.candidates.map(({ disqualified }) => disqualified));
  if (decision!.reason === 'kept-cheapest') return why.size === 1 && why.has('costlier-than-requested');
  if (decision!.reason !== 'kept-no-candidate' || why.size !== 1) return false;
  return why.has('max-output')
    ? (request?.asks?.maxOutputTokens ?? 0) > 32_768
    : why.has('not-translatable') && request?.asks?.jsonOutput === 'schema';
}

describe.each(libraries)('%s', (library) => {
  const calls = (mode: Mode): Calls => {
    const made = found[library]![mode];
    expect((made as Readonly<Record<string, unknown>>)['error']).toBeUndefined();
    return made;
  };

  it('parses the same through Sluice', () => {
    const direct = calls('direct');
    expect(Object.keys(direct).length).toBeGreaterThan(1);
    expect(objects(calls('plain'), stable)).toEqual(objects(direct, stable));
  });

  it('parses texts, calls of tools and typed answers from the cache', () => {
    // Another library's answer to the same question, or a stream's, has another text.
    for (const mode of ['cached', 'cached again'] as const) expectAlike(calls(mode), calls('direct'));
  });

  it('parses the same objects from a cheaper model', () => {
    expect(objects(calls('routed'), shape)).toEqual(objects(calls('direct'), shape));
  });

  it('parses texts, calls of tools and typed answers that crossed to another API', () => {
    expectAlike(calls('crossed'), calls('direct'));
  });
});

/** A library's records of one kind of workspace, in the order of its calls. */
function madeBy(records: readonly ExchangeRecord[], workspace: string, library: string): readonly ExchangeRecord[] {
  return records
    .filter((record) => record.workspace === `${workspace}-${library}` && record.kind !== 'observed')
    .sort((a, b) => a.time.localeCompare(b.time) || a.id.localeCompare(b.id));
}

describe('the calls', () => {
  let records: readonly ExchangeRecord[] = [];
  beforeAll(async () => {
    records = await clients.records();
  });

  it.each(libraries)('of %s went where each mode says', (library) => {
    const plain = madeBy(records, 'plain', library);
    expect(plain.length).toBeGreaterThanOrEqual(Object.keys(found[library]!.plain).length);
    expect(plain.map(({ requestedModel, servedModel }) => requestedModel === servedModel)).toEqual(plain.map(() => true));

    const routed = madeBy(records, 'routed', library);
    expect(routed.length).toBe(plain.length);
    expect(routed.map(({ requestedModel, decision }) => [requestedModel, decision?.served.model, decision?.reason])).toEqual(
      routed.map(({ requestedModel }) => [requestedModel, cheaper[requestedModel ?? ''], 'override']),
    );

    // The same calls twice: the second time, every answer is from the cache.
    const cached = madeBy(records, 'cached', library);
    expect(cached.length).toBe(2 * plain.length);
    expect(cached.slice(plain.length).map(({ cache, cost }) => [cache, cost])).toEqual(plain.map(() => ['hit', { known: true, usd: 0 }]));

    const asked = [...madeBy(records, 'crossed', library), ...madeBy(records, 'to-openai', library)];
    expect(asked.length).toBe(plain.length);
    const crossed = asked.filter(({ decision }) => decision!.requested.provider !== decision!.served.provider);
    expect(crossed.length).toBeGreaterThan(0);
    expect(crossed.map(({ outcome, attempts }) => [outcome, attempts.at(-1)?.target.provider])).toEqual(
      crossed.map(({ decision }) => ['complete', decision!.served.provider]),
    );
    expect(
      asked
        .filter((record) => !crossed.includes(record) && !mayStay(record))
        .map(({ id, decision }) => [id, decision!.reason, decision!.candidates.map(({ disqualified }) => disqualified)]),
    ).toEqual([]);
  });

  it('crossed from every API', () => {
    const crossed = records.filter(
      ({ workspace, decision }) =>
        /^(?:crossed|to-openai)-/.test(workspace) && decision !== null && decision.requested.provider !== decision.served.provider,
    );
    expect(new Set(crossed.map(({ api }) => api))).toEqual(
      new Set(['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini-generate']),
    );
  });
});
