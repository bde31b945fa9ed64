import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { findEnvoy } from '../src/attach/binary.ts';
import type { Json, Manifest } from '../src/attach/manifests.ts';
import { freePorts } from '../src/demo/stack.ts';
import { hangs, ScriptedProvider, well } from './support/scripted-provider.ts';
import { ServedSluice } from './support/serve.ts';

const envoy = await findEnvoy();
const cli = fileURLToPath(new URL('../bin/sluice', import.meta.url));
const http = 'type.googleapis.com/envoy.extensions';

const render = (...args: readonly string[]): Manifest[] =>
  parseAllDocuments(execFileSync(cli, ['render', 'kgateway', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })).map(
    (document) => document.toJS() as Manifest,
  );

/** The filter and the first headers of the manifests, as kgateway writes them; and a route for each of two providers. */
function proxyConfig(manifests: readonly Manifest[], ports: Readonly<Record<string, number>>): Json {
  const specOf = (kind: string): unknown => manifests.find((manifest) => manifest.kind === kind)?.spec;
  const { extProc } = specOf('GatewayExtension') as {
    extProc: { failOpen: boolean; messageTimeout: string; maxMessageTimeout: string; processingMode: Record<string, string> };
  };
  const { earlyRequestHeaderModifier: early } = (
    specOf('ListenerPolicy') as {
      default: { httpSettings: { earlyRequestHeaderModifier: { set: { name: string; value: string }[]; remove: string[] } } };
    }
  ).default.httpSettings;
  const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const seconds = (text: string): string => (text.endsWith('ms') ? `${Number.parseInt(text) / 1_000}s` : text);
  const at = (port: number): Json => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  const cluster = (name: string, more: Json = {}): Json => ({
    name,
    ...more,
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: at(ports[name]!) } }] }] },
  });
  const processor = {
    '@type': `${http}.filters.http.ext_proc.v3.ExternalProcessor`,
    grpc_service: { envoy_grpc: { cluster_name: 'sluice' } },
    failure_mode_allow: extProc.failOpen,
    message_timeout: seconds(extProc.messageTimeout),
    max_message_timeout: seconds(extProc.maxMessageTimeout),
    processing_mode: Object.fromEntries(Object.entries(extProc.processingMode).map(([name, value]) => [snake(name), value])),
  };
  const manager = {
    '@type': `${http}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'proxy',
    early_header_mutation_extensions: [
      {
        name: 'early',
        typed_config: {
          '@type': `${http}.http.early_header_mutation.header_mutation.v3.HeaderMutation`,
          mutations: [
            ...early.remove.map((remove) => ({ remove })),
            ...early.set.map(({ name, value }) => ({
              append: { header: { key: name, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
            })),
          ],
        },
      },
    ],
    http_filters: [
      { name: 'envoy.filters.http.ext_proc', typed_config: processor },
      { name: 'envoy.filters.http.router', typed_config: { '@type': `${http}.filters.http.router.v3.Router` } },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            {
              match: { prefix: '/', headers: [{ name: 'x-sluice-cluster', string_match: { exact: 'provider_mistral' } }] },
              route: { cluster: 'mistral' },
            },
            { match: { prefix: '/' }, route: { cluster: 'openai' } },
          ],
        },
      ],
    },
  };
  return {
    admin: { address: at(ports['admin']!) },
    static_resources: {
      listeners: [
        {
          name: 'proxy',
          address: at(ports['listen']!),
          filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
        },
      ],
      clusters: [
        cluster('openai'),
        cluster('mistral'),
        cluster('sluice', {
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': `${http}.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        }),
      ],
    },
  };
}

describe.skipIf(envoy === null)('an Envoy with one filter for requests and answers, without metadata, as kgateway sets it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kgateway-'));
  const [openai, mistral] = [new ScriptedProvider(), new ScriptedProvider()];
  const sluice = new ServedSluice(folder);
  let proxy: ChildProcess | null = null;
  let url = '';

  beforeAll(async () => {
    writeFileSync(join(folder, 'key'), 'key-of-mistral');
    const [openaiUrl, mistralUrl] = await Promise.all([openai.listen(), mistral.listen()]);
    await sluice.start(`
version: 1
providers:
  openai: { endpoint: "${openaiUrl}" }
  mistral: { endpoint: "${mistralUrl}", credentialFile: "${join(folder, 'key')}" }
defaults:
  allowProviders: [mistral]
  tiers: [simple]
  candidates: { simple: [openai/gpt-4.1-nano] }
sections:
  - { name: crossing, match: { workspace: [crossing] }, candidates: { simple: [mistral/mistral-large-latest] } }
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on } }
`);
    const [listen, admin] = await freePorts(2);
    const manifests = render('--policy', sluice.policyFolder, '--sluice', `127.0.0.1:${sluice.port}`);
    const port = (of: string): number => Number(new URL(of).port);
    const ports = { listen: listen!, admin: admin!, openai: port(openaiUrl), mistral: port(mistralUrl), sluice: sluice.port };
    const file = join(folder, 'envoy.json');
    writeFileSync(file, JSON.stringify(proxyConfig(manifests, ports)));
    proxy = spawn(envoy!, ['-c', file, '--use-dynamic-base-id', '--concurrency', '2', '--log-level', 'off'], { stdio: 'ignore' });
    url = `http://127.0.0.1:${listen!}`;
    // A cold start on a busy machine can be too slow for Envoy's patience.
    for (let tries = 0; tries < 400; tries++) {
      const answer = await ask('any').catch(() => null);
      if (answer?.response.headers.get('x-sluice-model') === 'gpt-4.1-nano') break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }, 60_000);

  afterAll(async () => {
    proxy?.kill('SIGKILL');
    await sluice.stop();
    await Promise.all([openai.close(), mistral.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    for (const provider of [openai, mistral]) {
      provider.got.length = 0;
      provider.behaviour = well;
    }
  });

  const client = (workspace: string) =>
    new OpenAI({ apiKey: 'sk-app', baseURL: `${url}/v1`, maxRetries: 0, defaultHeaders: { 'x-sluice-workspace': workspace } });
  const messages = [{ role: 'user' as const, content: 'What is a CDN?' }];
  const ask = (workspace: string) => client(workspace).chat.completions.create({ model: 'gpt-4.1', messages }).withResponse();
  const outcomes = async (): Promise<string[]> => {
    const { decisions } = (await (await fetch(`${sluice.adminUrl}/decisions`)).json()) as { decisions: { outcome: string }[] };
    return decisions.map(({ outcome }) => outcome);
  };

  it('has a call decided, told in its answer’s headers, and recorded with its cost', async () => {
    const { data, response } = await ask('any');
    expect([data.model, response.headers.get('x-sluice-tier'), response.headers.get('x-sluice-attempts')]).toEqual([
      'gpt-4.1-nano',
      'simple',
      '1',
    ]);
    expect(await sluice.record(response.headers.get('x-sluice-decision'))).toMatchObject({
      servedModel: 'gpt-4.1-nano',
      outcome: 'complete',
      finishReason: 'stop',
      cost: { known: true },
    });
  });

  it('leads a call to another provider with that one’s key, by a stream whose usage is known', async () => {
    const { data, response } = await client('crossing')
      .chat.completions.create({ model: 'gpt-4.1', stream: true, stream_options: { include_usage: true }, messages })
      .withResponse();
    let text = '';
    for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toContain('simulator');
    expect(await sluice.record(response.headers.get('x-sluice-decision'))).toMatchObject({ outcome: 'complete', cost: { known: true } });
    expect(mistral.got).toMatchObject([{ model: 'mistral-large-latest', headers: { authorization: 'Bearer key-of-mistral' } }]);
    expect(openai.got).toEqual([]);
  });

  it('answers from the cache what an answer on the stream filled', async () => {
    expect((await ask('cached')).response.headers.get('x-sluice-cache')).toBe('miss');
    await expect.poll(async () => (await ask('cached')).response.headers.get('x-sluice-cache')).toBe('hit');
    expect((await ask('cached')).data.model).toBe('gpt-4.1-nano');
  });

  it('records a client that left before there was an answer', async () => {
    openai.behaviour = hangs;
    const leaving = new AbortController();
    const left = client('any')
      .chat.completions.create({ model: 'gpt-4.1', messages }, { signal: leaving.signal })
      .catch(() => 'left');
    await expect.poll(() => openai.got.length).toBe(1);
    leaving.abort();
    expect(await left).toBe('left');
    await expect.poll(outcomes).toContain('client-gone');
  });

  it('brings the rest of an answer when Sluice dies in its middle, and lets requests pass without it', async () => {
    let more: () => void = () => undefined;
    openai.behaviour = async (_got, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const said = (content: string): string => `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`;
      response.write(said('before '));
      await new Promise<void>((resolve) => (more = resolve));
      response.end(`${said('after')}data: [DONE]\n\n`);
    };
    let text = '';
    for await (const chunk of await client('any').chat.completions.create({ model: 'gpt-4.1', stream: true, messages })) {
      text += chunk.choices[0]?.delta.content ?? '';
      if (text !== 'before ') continue;
      await sluice.stop();
      more();
    }
    expect(text).toBe('before after');
    openai.behaviour = well;
    expect((await ask('any')).data.model).toBe('gpt-4.1');
  });
});

it('says what a policy asks for that kgateway cannot do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kgateway-'));
  const file = join(folder, 'policy.yaml');
  writeFileSync(
    file,
    `version: 1
providers:
  bedrock: { endpoint: "https://bedrock-runtime.eu-central-1.amazonaws.com", dialect: bedrock, signing: { aws: { service: bedrock, region: eu-central-1 } } }
defaults:
  tiers: [simple]
  candidates: { simple: [gpt-5-nano] }
  fallback: { models: { gpt-5.1: [gpt-5-mini] } }
experiments: [{ name: copies, kind: shadow, share: 1%, model: openai/gpt-5-mini, maxUsdPerDay: 1 }]
`,
  );
  const said = execFileSync('sh', ['-c', '"$0" render kgateway --policy "$1" 2>&1 >/dev/null', cli, file], { encoding: 'utf8' });
  expect(said).toContain('fallback chains, which kgateway cannot carry out');
  expect(said).toContain('shadow experiments, which kgateway cannot carry out');
  expect(said).toContain('cannot sign requests for AWS: bedrock');
  rmSync(folder, { recursive: true, force: true });
});
