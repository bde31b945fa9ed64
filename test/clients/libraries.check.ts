import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
        headers: mode === 'crossed' ? {} : own,
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

describe.each(libraries)('%s', (library) => {
  const calls = (mode: Mode): Calls => {
    const made = found[library]![mode];
    expect((made as Readonly<Record<string, unknown>>)['error']).toBeUndefined();
    return made;
  };

  it('parses the same through Sluice, and from its cache', () => {
    const direct = calls('direct');
    expect(Object.keys(direct).length).toBeGreaterThan(1);
    for (const mode of ['plain', 'cached', 'cached again'] as const) expect(objects(calls(mode), stable)).toEqual(objects(direct, stable));
  });

  it('parses the same objects from a cheaper model', () => {
    expect(objects(calls('routed'), shape)).toEqual(objects(calls('direct'), shape));
  });

  it('parses texts, calls of tools and typed answers that crossed to another API', () => {
    const crossed = calls('crossed');
    for (const [name, { said }] of Object.entries(calls('direct'))) {
      expect([name, typeof crossed[name]?.said.text, crossed[name]?.said.tool]).toEqual([name, typeof said.text, said.tool]);
      if (said.text !== null) expect(crossed[name]?.said.text).not.toBe('');
    }
  });
});

it('went where each mode says', async () => {
  const records = await clients.records();
  const of = (workspace: string): typeof records =>
    records.filter((record) => record.workspace === workspace && record.kind !== 'observed');
  expect(of('plain').filter(({ requestedModel, servedModel }) => requestedModel !== servedModel)).toEqual([]);
  expect(
    of('routed')
      .filter(({ requestedModel, servedModel }) => requestedModel === servedModel)
      .map(({ decision }) => decision?.reason),
  ).toEqual([]);
  // Some answers are kept: where the other API has no place for a schema, or the model is no cheaper.
  const asked = records.filter(({ workspace, decision }) => decision !== null && !['plain', 'routed', 'cached'].includes(workspace));
  const crossed = asked.filter(({ decision }) => decision!.requested.provider !== decision!.served.provider);
  expect(new Set(crossed.map(({ api }) => api))).toEqual(
    new Set(['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini-generate']),
  );
  expect(crossed.length).toBeGreaterThan(asked.length / 2);
  const hits = of('cached').filter(({ cache }) => cache === 'hit').length;
  expect(hits).toBeGreaterThanOrEqual(of('cached').length / 2);
});
