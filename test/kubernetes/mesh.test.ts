import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { freePorts } from '../../src/demo/stack.ts';
import { findEnvoy } from '../../src/attach/binary.ts';
import { deployFiles } from '../../src/attach/deploy.ts';
import { fetchVia } from '../support/fetch-as.ts';
import { expectCrossed, expectRouted, heardOnWebSocket, ownersLimit, saidToTooLarge, tooLargeSaid } from '../support/mesh.ts';
import { allWell, ScriptedProvider, status } from '../support/scripted-provider.ts';
import { ServedSluice } from '../support/serve.ts';
import { istiodTests } from './mesh/istiod.ts';
import { kgatewayTests } from './mesh/kgateway.ts';
import { TestCluster, until } from './support/cluster.ts';
import { definitionsOf, noDefinitions } from './support/definitions.ts';
import { EnvoyGateway, namespaces } from './support/envoy-gateway.ts';
import { runCli } from './support/cli.ts';
import { findTool, missing } from './support/tools.ts';

const noNamespaces = namespaces() ? '' : ' (skipped: no network namespaces here)';
const files = await deployFiles();
const absent = missing('testkube') || noDefinitions;
const absentGateway =
  missing('testkube', 'envoy-gateway') || noDefinitions || noNamespaces || ((await findEnvoy()) === null ? ' (skipped: no Envoy)' : '');

describe.skipIf(absent !== '')(`a real API server with the definitions of Istio, Envoy Gateway and kgateway${absent}`, () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = new TestCluster();
    await cluster.start();
    const definitions = (['istio', 'envoy-gateway', 'kgateway'] as const).flatMap((of) => ['--filename', definitionsOf(of)!]);
    await cluster.kubectl('apply', '--server-side', ...definitions);
    await cluster.kubectl('wait', '--for=condition=Established', '--all', 'crd');
    for (const name of ['llm', 'istio-system']) await cluster.kubectl('create', 'namespace', name);
  });

  afterAll(() => cluster.stop());

  it.each([...files])('takes every object of %s, strictly', async (_path, text) => {
    const { ok, output } = await cluster.apply(text, '--dry-run=server', '--validate=strict');
    expect([ok, output.split('\n').filter((line) => line !== '' && !line.endsWith('created (server dry run)'))]).toEqual([true, []]);
  });

  gatewayTests(() => cluster);
  // Nothing builds these for the tests; they are used where they are.
  if (findTool('pilot-discovery') !== null) istiodTests(() => cluster);
  if (findTool('kgateway') !== null && noNamespaces === '') kgatewayTests(() => cluster);
});

function gatewayTests(shared: () => TestCluster): void {
  describe.skipIf(absentGateway !== '')(`the real Envoy Gateway, from the rendered manifests${absentGateway}`, () => {
    const openai = new ScriptedProvider();
    const mistral = new ScriptedProvider();
    const sockets: Server = createServer();
    let cluster: TestCluster;
    let gateway: EnvoyGateway;
    let sluice: ServedSluice;
    let url = '';
    let proxyAdmin = '';
    let port = 0;

    beforeAll(async () => {
      cluster = shared();
      gateway = new EnvoyGateway(cluster);
      await gateway.start();
      // Envoy Gateway takes no loopback address for a backend; names that end so lead there all the same.
      const local = (name: string, address: string): string => `http://${name}.localhost:${new URL(address).port}`;
      sockets.on('upgrade', (_request, socket) =>
        socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello'),
      );
      await new Promise<void>((resolve) => sockets.listen(0, '127.0.0.1', resolve));
      writeFileSync(join(cluster.folder, 'key'), 'key-of-mistral');
      sluice = new ServedSluice(cluster.folder);
      await sluice.start(`
  version: 1
  providers:
    openai: { endpoint: "${local('openai', await openai.listen())}" }
    mistral: { endpoint: "${local('mistral', await mistral.listen())}/base", credentialFile: "${join(cluster.folder, 'key')}" }
    sockets: { dialect: openai, endpoint: "http://sockets.localhost:${(sockets.address() as AddressInfo).port}", pathPrefix: /sockets, catalog: openai }
  defaults:
    allowProviders: [mistral]
    tiers: [simple]
    candidates: { simple: [openai/gpt-4.1-nano] }
  sections:
    - { name: chained, match: { workspace: [chained] }, fallback: { models: { gpt-4.1: [openai/gpt-4.1-mini, mistral/mistral-large-latest] } } }
    - { name: crossing, match: { workspace: [crossing] }, candidates: { simple: [mistral/mistral-large-latest] } }
  `);
      const [http, ready] = await freePorts(2);
      port = http!;
      url = `http://127.0.0.1:${port}`;
      // What a pod's own network would make unnecessary: ports that are free on this machine, and loopback.
      const moved = (name: string, port_value: number): object => ({
        type: 'type.googleapis.com/envoy.config.listener.v3.Listener',
        name,
        operation: { op: 'replace', path: '/address/socket_address', value: { address: '127.0.0.1', port_value } },
      });
      const own = [
        {
          apiVersion: 'gateway.networking.k8s.io/v1',
          kind: 'GatewayClass',
          metadata: { name: 'eg' },
          spec: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
        },
        {
          apiVersion: 'gateway.networking.k8s.io/v1',
          kind: 'Gateway',
          metadata: { name: 'sluice', namespace: 'llm' },
          spec: { gatewayClassName: 'eg', listeners: [{ name: 'http', protocol: 'HTTP', port }] },
        },
        {
          apiVersion: 'gateway.envoyproxy.io/v1alpha1',
          kind: 'EnvoyPatchPolicy',
          metadata: { name: 'loopback', namespace: 'llm' },
          spec: {
            targetRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'sluice' },
            type: 'JSONPatch',
            priority: 100,
            jsonPatches: [
              moved('llm/sluice/http', port),
              moved('envoy-gateway-proxy-ready-0.0.0.0-19003', ready!),
              // The owner's limit: Envoy takes the larger of the two.
              {
                type: 'type.googleapis.com/envoy.config.listener.v3.Listener',
                name: 'llm/sluice/http',
                operation: { op: 'replace', path: '/per_connection_buffer_limit_bytes', value: ownersLimit },
              },
              {
                type: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
                name: 'llm/sluice/http',
                operation: { op: 'add', jsonPath: '$.virtual_hosts[*]', path: '/request_body_buffer_limit', value: ownersLimit },
              },
            ],
          },
        },
      ];
      await cluster.applied(own.map((object) => `---\n${stringify(object)}`).join('') + (await rendered()));
      proxyAdmin = await gateway.proxy('llm', 'sluice');
      await until(
        async () => (await ask('any')).response.headers.get('x-sluice-model') === 'gpt-4.1-nano',
        'a routed call',
        () => gateway.said,
      );
    }, 180_000);

    afterAll(async () => {
      await gateway?.stop();
      await sluice?.stop();
      await Promise.all([openai.close(), mistral.close(), new Promise((resolve) => sockets.close(resolve))]);
    });

    beforeEach(() => {
      allWell([openai, mistral]);
    });

    const rendered = (...more: readonly string[]) =>
      runCli([
        'render',
        'envoy-gateway',
        '--policy',
        sluice.policyFolder,
        '--sluice',
        `sluice.localhost:${sluice.port}`,
        '--existing-gateway',
        ...more,
      ]);
    const copies = (): Promise<string> =>
      fetch(`${proxyAdmin}/stats?filter=sluice_response.streams_started`).then((response) => response.text());
    const ask = (workspace: string, path = '/v1', content = 'What is a CDN?') =>
      new OpenAI({
        apiKey: 'sk-app',
        baseURL: `${url}${path}`,
        maxRetries: 0,
        defaultHeaders: { 'x-sluice-workspace': workspace },
      }).chat.completions
        .create({ model: 'gpt-4.1', messages: [{ role: 'user', content }] })
        .withResponse();

    it('accepts every policy, and programs the patches', async () => {
      const states = async (): Promise<string[][]> => {
        const { items } = JSON.parse(
          await cluster.kubectl(
            'get',
            'envoypatchpolicy,envoyextensionpolicy,clienttrafficpolicy,backendtrafficpolicy,httproute',
            '--namespace',
            'llm',
            '--output',
            'json',
          ),
        ) as Statuses;
        return items.flatMap(({ kind, metadata, status: given }) =>
          [...(given?.ancestors ?? []), ...(given?.parents ?? [])].flatMap(({ conditions }) =>
            conditions.map((condition) => [kind, metadata.name, condition.type, condition.status]),
          ),
        );
      };
      // Statuses are written after the config has been served.
      await expect.poll(states, { timeout: 30_000 }).toContainEqual(['EnvoyPatchPolicy', 'sluice', 'Programmed', 'True']);
      await expect.poll(async () => (await states()).filter(([, , , state]) => state !== 'True'), { timeout: 30_000 }).toEqual([]);
      expect((await states()).length).toBeGreaterThan(20);
    });

    it("routes an official SDK's call and records it", async () => {
      await expectRouted(await ask('any'), (id) => sluice.record(id), openai);
    });

    it('streams an answer and knows its usage', async () => {
      const client = new OpenAI({ apiKey: 'sk-app', baseURL: `${url}/v1`, maxRetries: 0 });
      const { data, response } = await client.chat.completions
        .create({
          model: 'gpt-4.1',
          stream: true,
          stream_options: { include_usage: true },
          messages: [{ role: 'user', content: 'What is a CDN?' }],
        })
        .withResponse();
      let text = '';
      for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
      expect(text).toContain('simulator');
      expect(await sluice.record(response.headers.get('x-sluice-decision'))).toMatchObject({ outcome: 'complete', cost: { known: true } });
    });

    it("takes a provider's prefix off its path, and knows its own host name", async () => {
      await ask('any', '/mistral/v1');
      expect(mistral.got.map(({ path }) => path)).toEqual(['/base/v1/chat/completions']);
      const response = await fetchVia(port)('http://api.mistral.ai/v1/models');
      await response.arrayBuffer();
      expect(mistral.got.map(({ path }) => path)).toEqual(['/base/v1/chat/completions', '/base/v1/models']);
    });

    it('sends it to another provider with that one’s key and path', async () => {
      expectCrossed(await ask('crossing'), mistral, openai);
    });

    it('falls back along a chain, each target with its own key', async () => {
      openai.behaviour = status(500);
      const { data, response } = await ask('chained');
      expect([data.model, response.headers.get('x-sluice-attempts')]).toEqual(['mistral-large-latest', '3']);
      expect(openai.got.map(({ headers }) => headers.authorization)).toEqual(['Bearer sk-app', 'Bearer sk-app']);
      expect(mistral.got).toMatchObject([{ path: '/base/v1/chat/completions', headers: { authorization: 'Bearer key-of-mistral' } }]);
      expect((await sluice.record(response.headers.get('x-sluice-decision'))).attempts).toHaveLength(3);
    });

    it.each(tooLargeSaid)('says in the words of the API that a request is larger than the owner’s limit: %s', async (path, host, body) => {
      expect(await saidToTooLarge({ port, adminUrl: proxyAdmin }, path, host)).toMatchObject({ status: 413, body });
      expect(openai.got).toEqual([]);
    });

    it('obeys no header of a client that leads a request elsewhere', async () => {
      const response = await fetch(`${url}/v1/models`, {
        headers: { 'x-sluice-cluster': 'provider_mistral', 'x-sluice-chain': '1', 'x-envoy-attempt-count': '1' },
      });
      await response.arrayBuffer();
      expect([openai.got.length, mistral.got.length]).toEqual([1, 0]);
    });

    it('lets WebSockets through', async () => {
      expect(await heardOnWebSocket(`${url}/sockets/v1/realtime`)).toBe('hello');
    });

    it('has answers collected where that is asked for', async () => {
      await cluster.applied(await rendered('--usage', 'collect'));
      // Not on the connection of the calls before: an open one keeps the filters that it began with.
      const client = new OpenAI({ apiKey: 'sk-app', baseURL: 'http://api.openai.com/v1', maxRetries: 0, fetch: fetchVia(port) });
      const call = () =>
        client.chat.completions.create({ model: 'gpt-4.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }).withResponse();
      const collects = async (): Promise<boolean> => {
        openai.got.length = 0;
        await call();
        const stats = await fetch(`${proxyAdmin}/stats?filter=grpc_access_log.logs_written`).then((response) => response.text());
        return !stats.includes('written: 0') && Object.keys(openai.got[0]!.headers).every((name) => !name.startsWith('x-sluice'));
      };
      await until(collects, 'a collected answer', () => gateway.said);
      const before = await copies();
      const { response } = await call();
      expect(await sluice.record(response.headers.get('x-sluice-decision'))).toMatchObject({
        outcome: 'complete',
        finishReason: 'stop',
        cost: { known: true },
      });
      expect(await copies()).toBe(before);
    });

    it('lets requests pass when Sluice is gone', async () => {
      await sluice.stop();
      expect((await ask('any')).data.model).toBe('gpt-4.1');
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
