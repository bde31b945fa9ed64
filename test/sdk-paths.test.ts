import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import { ScriptedProvider, says } from './support/scripted-provider.ts';

/** A call as an SDK's code makes it; a name in the path is `x1`. */
interface SdkCall {
  readonly method: string;
  readonly path: string;
}

/** Calls whose address an earlier answer gave, as the SDK's code writes it, and what that is. */
const given: Readonly<Record<string, string>> = { 'batch.results_url': '/v1/messages/batches/x1/results' };

const installed = (name: string): string => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));

/** Calls in the code of SDKs that say `this._client.METHOD(path…`. */
function callsOf(folder: string, base: string): readonly SdkCall[] {
  const calls: SdkCall[] = [];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.ts')) continue;
    const code = readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8');
    const made = [...code.matchAll(/_client\s*\.\s*(get|post|put|patch|delete|getAPIList)\(/g)];
    const read = [
      ...code.matchAll(/_client\s*\.\s*(get|post|put|patch|delete|getAPIList)\(\s*(?:(?:path)?(['"`])([^'"`]+)\2|(batch\.results_url))/g),
    ];
    // Otherwise a call whose path is written differently would be skipped silently.
    expect(read.length, entry.name).toBe(made.length);
    for (const [, method, , path, elsewhere] of read)
      calls.push({
        method: method === 'getAPIList' ? 'GET' : method!.toUpperCase(),
        path: elsewhere === undefined ? base + path!.replace(/\$\{[^}]*\}/g, 'x1') : given[elsewhere]!,
      });
  }
  return unique(calls);
}

/** What Gemini's SDK puts for a name, by where it comes from. */
const googleNames: Readonly<Record<string, readonly string[]>> = {
  name: [
    'models/x1',
    'tunedModels/x1',
    'files/x1',
    'cachedContents/x1',
    'batches/x1',
    'operations/x1',
    'models/x1/operations/x2',
    'fileSearchStores/x1',
    'fileSearchStores/x1/documents/x2',
  ],
  operationName: ['models/x1/operations/x2', 'batches/x1', 'fileSearchStores/x1/operations/x2'],
  model: ['models/gemini-2.5-pro', 'tunedModels/x1'],
  models_url: ['models', 'tunedModels'],
  parent: ['fileSearchStores/x1'],
  file_search_store_name: ['fileSearchStores/x1'],
  resourceName: ['models/x1'],
  file: ['x1'],
};
const vertexNames: Readonly<Record<string, readonly string[]>> = {
  ...googleNames,
  name: ['tuningJobs/x1', 'cachedContents/x1', 'models/x1', 'batchPredictionJobs/x1', 'operations/x1'],
  operationName: ['publishers/google/models/x1/operations/x2'],
  model: ['publishers/google/models/gemini-2.5-pro'],
  models_url: ['publishers/google/models', 'models'],
  resourceName: ['publishers/google/models/x1'],
};

function filled(template: string, names: Readonly<Record<string, readonly string[]>>): readonly string[] {
  const name = /\{(\w+)\}/.exec(template);
  if (name === null) return [template];
  // `batches/{name}` has the last part alone.
  const values = template.startsWith(name[0]) || template.includes(`/${name[0]}:upload`) ? (names[name[1]!] ?? ['x1']) : ['x1'];
  return values.flatMap((value) => filled(template.replace(name[0], value), names));
}

/** Calls in the code of Google's SDK, of the Gemini API or of Vertex. */
function googleCalls(vertex: boolean): readonly SdkCall[] {
  const code = readFileSync(`${installed('@google/genai')}/dist/node/index.mjs`, 'utf8');
  const calls: SdkCall[] = [];
  const base = vertex ? '/v1beta1/projects/p1/locations/l1/' : '/v1beta/';
  for (const { 1: template, index } of code.matchAll(/formatMap\('([^']+)', (?:body\['_url'\]|urlParams)\)/g)) {
    const ofVertex = code.lastIndexOf('else {', index) < code.lastIndexOf('isVertexAI()', index);
    if (ofVertex !== vertex) continue;
    const method = /httpMethod: '(\w+)'/.exec(code.slice(index))![1]!;
    for (const path of filled(template!, vertex ? vertexNames : googleNames))
      calls.push({ method, path: path.startsWith('upload/') ? `/${path}` : base + path });
  }
  if (!vertex) {
    for (const { 1: template, index } of code.matchAll(/pathToFunc\("([^"]+)"\)/g)) {
      const method = /method: "(\w+)"/.exec(code.slice(index))![1]!;
      for (const path of filled(template!.replace('{api_version}', 'v1beta'), {})) calls.push({ method, path });
    }
  }
  return unique(calls);
}

function unique(calls: readonly SdkCall[]): readonly SdkCall[] {
  return [...new Map(calls.map((call) => [`${call.method} ${call.path}`, call])).values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The headers that an SDK sends with a call, as it sends them. */
async function headersOf(call: (fetched: typeof fetch) => Promise<unknown>): Promise<Record<string, string>> {
  let sent: Record<string, string> = {};
  const fetched: typeof fetch = (_url, init) => {
    sent = Object.fromEntries(new Headers(init?.headers));
    return Promise.resolve(Response.json({ data: [], models: [] }));
  };
  await call(fetched);
  return sent;
}

async function googleHeaders(options: ConstructorParameters<typeof GoogleGenAI>[0]): Promise<Record<string, string>> {
  const own = globalThis.fetch;
  try {
    return await headersOf(async (fetched) => {
      globalThis.fetch = fetched;
      await new GoogleGenAI(options).models.list();
    });
  } finally {
    globalThis.fetch = own;
  }
}

const names = ['openai', 'anthropic', 'google'] as const;
type Name = (typeof names)[number];
const providers = { openai: new ScriptedProvider(), anthropic: new ScriptedProvider(), google: new ScriptedProvider() };
let stack: Stack;

beforeAll(async () => {
  const lines: string[] = [];
  for (const name of names) {
    lines.push(`  ${name}: { endpoint: "${await providers[name].listen()}" }`);
    providers[name].behaviour = says({});
  }
  stack = new Stack({ policy: `version: 1\nproviders:\n${lines.join('\n')}\ndefaults: { mode: shadow }\n`, endpoint: null });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all(names.map((name) => providers[name].close()));
});

/** Calls that reached their provider changed, or not at all. */
async function astray(to: Name, headers: Readonly<Record<string, string>>, calls: readonly SdkCall[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const { method, path } of calls) {
    for (const name of names) providers[name].got.length = 0;
    const response = await fetch(stack.url + path, {
      method,
      headers: { ...headers, ...(method === 'GET' ? {} : { 'content-type': 'application/json' }) },
      ...(method === 'GET' ? {} : { body: '{"model":"x1"}' }),
    });
    await response.arrayBuffer();
    const came = names.flatMap((name) => providers[name].got.map((got) => `${name} ${got.path}`));
    if (came.join() !== `${to} ${path}`) wrong.push(`${method} ${path}: ${response.status} ${came.join()}`);
  }
  return wrong;
}

describe('every path of an official SDK, with the headers that it sends, reaches its provider', () => {
  it('OpenAI', async () => {
    const calls = callsOf(`${installed('openai')}/src/resources`, '/v1');
    expect(calls.length).toBeGreaterThan(200);
    const headers = await headersOf((fetched) => new OpenAI({ apiKey: 'sk-test', fetch: fetched }).models.list());
    expect(headers['authorization']).toBe('Bearer sk-test');
    expect(await astray('openai', headers, calls)).toEqual([]);
  });

  it('Anthropic', async () => {
    const calls = callsOf(`${installed('@anthropic-ai/sdk')}/src/resources`, '');
    expect(calls.length).toBeGreaterThan(100);
    const headers = await headersOf((fetched) => new Anthropic({ apiKey: 'sk-ant-test', fetch: fetched }).models.list());
    expect(headers['authorization']).toBe('Bearer sk-ant-test');
    expect(await astray('anthropic', headers, calls)).toEqual([]);
    // As earlier versions of it do.
    delete headers['authorization'];
    expect(await astray('anthropic', { ...headers, 'x-api-key': 'key' }, calls)).toEqual([]);
  });

  it('Google, the Gemini API', async () => {
    const calls = googleCalls(false);
    expect(calls.length).toBeGreaterThan(70);
    const headers = await googleHeaders({ apiKey: 'key' });
    expect(headers['x-goog-api-key']).toBe('key');
    expect(await astray('google', headers, calls)).toEqual([]);
    expect(
      await astray(
        'google',
        headers,
        calls.map(({ method, path }) => ({ method, path: path.replace('/v1beta/', '/v1/') })),
      ),
    ).toEqual([]);
  });

  it('Google, Vertex', async () => {
    const calls = googleCalls(true);
    expect(calls.length).toBeGreaterThan(20);
    const headers = { authorization: 'Bearer ya29.token', 'x-goog-api-client': 'google-genai-sdk' };
    expect(await astray('google', headers, calls)).toEqual([]);
  });
});
