import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { fetchVia } from '../../support/fetch-as.ts';
import { heardOnWebSocket } from '../../support/mesh.ts';
import { hangs, ScriptedProvider, well } from '../../support/scripted-provider.ts';
import { ServedSluice } from '../../support/serve.ts';
import { runCli } from '../support/cli.ts';
import { until, type TestCluster } from '../support/cluster.ts';
import { Kgateway } from '../support/kgateway.ts';

/** The Gateway's own port. */
const gatewayPort = 8_080;
const namespace = 'kgateway-llm';

const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'sluice', namespace },
  spec: { gatewayClassName: 'kgateway', listeners: [{ name: 'http', protocol: 'HTTP', port: gatewayPort }] },
};

/** What is there besides in a cluster: kgateway's own namespace, and the pod that the Envoy stands for. */
const around = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kgateway-system' } },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'sluice', namespace },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'envoy', image: 'none' }] },
  },
];

/** The rendered manifests in the real kgateway: an Envoy runs from what it serves. The cluster has its definitions. */
export function kgatewayTests(shared: () => TestCluster): void {
  describe('the real kgateway, from the rendered manifests', () => {
    const [openai, mistral, closed] = [new ScriptedProvider(), new ScriptedProvider(), new ScriptedProvider()];
    const sockets: Server = createServer();
    let kgateway: Kgateway;
    let sluice: ServedSluice;
    let url = '';
    let call: typeof fetch;

    beforeAll(async () => {
      const cluster = shared();
      const endpoints = await Promise.all([openai.listen(), mistral.listen(), closed.listen()]);
      const [openaiPort, mistralPort, closedPort] = endpoints.map((endpoint) => Number(new URL(endpoint).port)) as [number, number, number];
      sockets.on('upgrade', (_request, socket) =>
        socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello'),
      );
      await new Promise<void>((resolve) => sockets.listen(0, '127.0.0.1', resolve));
      const socketsPort = (sockets.address() as AddressInfo).port;
      writeFileSync(join(cluster.folder, 'kgateway-key'), 'key-of-mistral');
      sluice = new ServedSluice(join(cluster.folder, 'kgateway-sluice'));
      await sluice.start(`
version: 1
providers:
  openai: { endpoint: "http://127.0.0.1:${openaiPort}" }
  mistral: { endpoint: "http://127.0.0.1:${mistralPort}/base", credentialFile: "${join(cluster.folder, 'kgateway-key')}" }
  # Its name resolves to loopback: this one's Host header is rewritten.
  guarded: { dialect: openai, endpoint: "http://localhost:${closedPort}", pathPrefix: /guarded, catalog: openai }
  sockets: { dialect: openai, endpoint: "http://127.0.0.1:${socketsPort}", pathPrefix: /sockets, catalog: openai }
defaults:
  allowProviders: [mistral]
  tiers: [simple]
  candidates: { simple: [openai/gpt-4.1-nano] }
  rules:
    - { name: no-secrets, when: 'request.lastUser.contains("SECRET")', then: { block: "Not here." } }
sections:
  - { name: crossing, match: { workspace: [crossing] }, candidates: { simple: [mistral/mistral-large-latest] } }
  - { name: guarded, match: { provider: [guarded] }, failClosed: true, candidates: { simple: [guarded/gpt-4.1-nano] } }
`);
      await cluster.applied([...around, gateway].map((each) => `---\n${stringify(each)}`).join('') + (await rendered()));
      kgateway = new Kgateway(cluster);
      await kgateway.start();
      ({ url } = await kgateway.proxy(namespace, 'sluice', gatewayPort, [openaiPort, mistralPort, closedPort, socketsPort, sluice.port]));
      call = fetchVia(Number(new URL(url).port));
      await until(
        async () => (await ask('any')).response.headers.get('x-sluice-model') === 'gpt-4.1-nano',
        'a routed call',
        () => kgateway.said,
      );
    }, 180_000);

    afterAll(async () => {
      await kgateway?.stop();
      await sluice?.stop();
      await Promise.all([openai.close(), mistral.close(), closed.close(), new Promise((resolve) => sockets.close(resolve))]);
    });

    beforeEach(() => {
      for (const provider of [openai, mistral, closed]) {
        provider.got.length = 0;
        provider.behaviour = well;
      }
    });

    const rendered = () =>
      runCli([
        'render',
        'kgateway',
        '--policy',
        sluice.policyFolder,
        '--sluice',
        `127.0.0.1:${sluice.port}`,
        '--namespace',
        namespace,
        '--existing-gateway',
      ]);
    const client = (path = '/v1', workspace = 'any') =>
      new OpenAI({ apiKey: 'sk-app', baseURL: `${url}${path}`, maxRetries: 0, defaultHeaders: { 'x-sluice-workspace': workspace } });
    const ask = (workspace: string, path = '/v1', content = 'What is a CDN?') =>
      client(path, workspace)
        .chat.completions.create({ model: 'gpt-4.1', messages: [{ role: 'user', content }] })
        .withResponse();

    it('accepts every route and policy', async () => {
      const states = async (): Promise<string[]> => {
        const kinds = 'httproute,trafficpolicy,listenerpolicy,backendconfigpolicy';
        const { items } = JSON.parse(await shared().kubectl('get', kinds, '--namespace', namespace, '--output', 'json')) as Statuses;
        return items.flatMap(({ kind, metadata, status }) =>
          [...(status?.ancestors ?? []), ...(status?.parents ?? [])].flatMap(({ conditions }) =>
            conditions.map(({ type, status: is }) => `${kind} ${metadata.name} ${type} ${is}`),
          ),
        );
      };
      await expect.poll(states, { timeout: 30_000 }).toContain('TrafficPolicy sluice Attached True');
      expect(await states()).toContain('ListenerPolicy sluice Attached True');
      expect((await states()).filter((state) => !state.endsWith('True'))).toEqual([]);
    });

    it("routes an official SDK's call, says so in the answer, and records it", async () => {
      const { data, response } = await ask('any');
      expect([data.model, response.headers.get('x-sluice-tier'), response.headers.get('x-sluice-reason')]).toEqual([
        'gpt-4.1-nano',
        'simple',
        'tier',
      ]);
      expect(await sluice.record(response.headers.get('x-sluice-decision'))).toMatchObject({
        requestedModel: 'gpt-4.1',
        servedModel: 'gpt-4.1-nano',
        outcome: 'complete',
        finishReason: 'stop',
        cost: { known: true },
      });
      expect(openai.got).toMatchObject([
        { path: '/v1/chat/completions', model: 'gpt-4.1-nano', headers: { authorization: 'Bearer sk-app' } },
      ]);
      expect(Object.keys(openai.got[0]!.headers).filter((name) => name.startsWith('x-sluice'))).toEqual([]);
    });

    it('streams an answer and knows its usage', async () => {
      const { data, response } = await client()
        .chat.completions.create({
          model: 'gpt-4.1',
          stream: true,
          stream_options: { include_usage: true },
          messages: [{ role: 'user', content: 'What is a CDN?' }],
        })
        .withResponse();
      let text = '';
      for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
      expect(text).toContain('simulator');
      expect(await sluice.record(response.headers.get('x-sluice-decision'))).toMatchObject({
        stream: true,
        outcome: 'complete',
        cost: { known: true },
      });
    });

    it('sends it to another provider with that one’s key and path', async () => {
      const { response } = await ask('crossing');
      expect(response.headers.get('x-sluice-model')).toBe('mistral-large-latest');
      expect(mistral.got).toMatchObject([{ path: '/base/v1/chat/completions', headers: { authorization: 'Bearer key-of-mistral' } }]);
      expect(openai.got).toEqual([]);
    });

    it("takes a provider's prefix off its path, and knows its own host name", async () => {
      await ask('any', '/mistral/v1');
      await (await call('http://api.mistral.ai/v1/models')).arrayBuffer();
      expect(mistral.got.map(({ path }) => path)).toEqual(['/base/v1/chat/completions', '/base/v1/models']);
      await ask('any', '/guarded/v1');
      expect(closed.got).toMatchObject([{ path: '/v1/chat/completions', headers: { host: 'localhost' } }]);
      expect(openai.got).toEqual([]);
    });

    it('refuses what a rule blocks, in the form of the API', async () => {
      await expect(ask('any', '/v1', 'SECRET')).rejects.toMatchObject({
        status: 403,
        message: expect.stringContaining('Not here.') as string,
      });
      expect(openai.got).toEqual([]);
    });

    it('obeys no header of a client that leads a request elsewhere', async () => {
      const response = await fetch(`${url}/v1/models`, {
        headers: { 'x-sluice-cluster': 'provider_mistral', 'x-sluice-usage': 'observe' },
      });
      await response.arrayBuffer();
      expect([openai.got.length, mistral.got.length]).toEqual([1, 0]);
    });

    it('answers 503 where the provider that was chosen has no route', async () => {
      const routes = ['httproute', 'sluice-chosen', '--namespace', namespace];
      const { spec } = JSON.parse(await shared().kubectl('get', ...routes, '--output', 'json')) as { spec: { rules: unknown[] } };
      const at = spec.rules.findIndex((rule) => JSON.stringify(rule).includes('provider_mistral'));
      await shared().kubectl('patch', ...routes, '--type', 'json', '--patch', `[{"op":"remove","path":"/spec/rules/${at}"}]`);
      const asked = (): Promise<number> =>
        ask('crossing').then(
          () => 200,
          (error: unknown) => (error as { status: number }).status,
        );
      await expect.poll(asked, { timeout: 30_000 }).toBe(503);
      expect(openai.got).toEqual([]);
      await shared().applied(await rendered());
      await expect.poll(asked, { timeout: 30_000 }).toBe(200);
    });

    it('reads a body whose length nobody said, and passes one that is longer than it reads', async () => {
      const post = async (body: string): Promise<Response> => {
        const bytes = new TextEncoder().encode(body);
        const stream = new ReadableStream({
          start(controller) {
            for (let at = 0; at < bytes.length; at += 65_536) controller.enqueue(bytes.subarray(at, at + 65_536));
            controller.close();
          },
        });
        const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-app' };
        return fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body: stream, duplex: 'half' });
      };
      const of = (content: string): string => JSON.stringify({ model: 'gpt-4.1', messages: [{ role: 'user', content }] });
      const short = await post(of('What is a CDN?'));
      await short.arrayBuffer();
      expect(short.headers.get('x-sluice-model')).toBe('gpt-4.1-nano');
      const long = await post(of('x'.repeat(36 * 1024 * 1024)));
      await long.arrayBuffer();
      expect([long.status, openai.got.map(({ model }) => model)]).toEqual([200, ['gpt-4.1-nano', 'gpt-4.1']]);
    });

    it('records a client that left before there was an answer', async () => {
      openai.behaviour = hangs;
      const leaving = new AbortController();
      const left = client()
        .chat.completions.create({ model: 'gpt-4.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }, { signal: leaving.signal })
        .catch(() => 'left');
      await expect.poll(() => openai.got.length).toBe(1);
      leaving.abort();
      expect(await left).toBe('left');
      const outcomes = async (): Promise<string[]> => {
        const { decisions } = (await (await fetch(`${sluice.adminUrl}/decisions`)).json()) as { decisions: { outcome: string }[] };
        return decisions.map(({ outcome }) => outcome);
      };
      await expect.poll(outcomes).toContain('client-gone');
    });

    it('lets WebSockets through', async () => {
      expect(await heardOnWebSocket(`${url}/sockets/v1/realtime`)).toBe('hello');
    });

    it('brings the rest of an answer when Sluice dies in its middle; then lets requests pass, and refuses those of a closed section', async () => {
      let more: () => void = () => undefined;
      openai.behaviour = async (_got, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const said = (content: string): string => `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`;
        response.write(said('before '));
        await new Promise<void>((resolve) => (more = resolve));
        response.end(`${said('after')}data: [DONE]\n\n`);
      };
      const stream = await client().chat.completions.create({
        model: 'gpt-4.1',
        stream: true,
        messages: [{ role: 'user', content: 'What is a CDN?' }],
      });
      let text = '';
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? '';
        if (text !== 'before ') continue;
        await sluice.stop();
        more();
      }
      expect(text).toBe('before after');
      openai.behaviour = well;
      expect((await ask('any')).data.model).toBe('gpt-4.1');
      await expect(ask('any', '/guarded/v1')).rejects.toMatchObject({
        status: expect.toSatisfy((status: number) => status >= 500) as number,
      });
      expect(closed.got).toEqual([]);
    });
  });
}

interface Statuses {
  readonly items: readonly {
    readonly kind: string;
    readonly metadata: { readonly name: string };
    readonly status?: Readonly<
      Partial<
        Record<'ancestors' | 'parents', readonly { readonly conditions: readonly { readonly type: string; readonly status: string }[] }[]>
      >
    >;
  }[];
}
