import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { runCli } from '../support/cli.ts';
import { until } from '../support/cluster.ts';
import { envoyGatewayChart } from '../support/definitions.ts';
import { chart } from '../support/helm.ts';
import type { TestImages } from '../support/images.ts';
import { localImages, type NodeCluster } from '../support/node-cluster.ts';
import { findTool, missing } from '../support/tools.ts';

const absent =
  missing('envoy-gateway') || (envoyGatewayChart() === null ? ' (skipped: no chart; scripts/definitions.sh fetches it with Go)' : '');
const system = 'envoy-gateway-system';

/** As Envoy Gateway's chart names it. */
const image = 'docker.io/envoyproxy/gateway:v1.9.1';

/** What the node must have for these tests. */
export const envoyGatewayImages = (images: TestImages, rootfs: string): Promise<string>[] =>
  absent === '' ? [images.binary(image, rootfs, findTool('envoy-gateway')!)] : [];

const at = (port: number): string => `http://simulator.apps.svc.cluster.local:${port}`;
const policy = `version: 1
providers:
  openai: { endpoint: "${at(8080)}" }
  mistral: { endpoint: "${at(8080)}", credentialFile: /etc/sluice/credentials/providers/mistral }
  down: { dialect: openai, endpoint: "${at(8081)}", pathPrefix: /down, catalog: openai, credentialFile: /etc/sluice/credentials/providers/down }
defaults:
  allowProviders: [mistral, down]
  tiers: [simple]
  candidates: { simple: [openai/gpt-5-nano] }
sections:
  - { name: chained, match: { workspace: [chained] }, candidates: { simple: [down/gpt-5-nano] }, fallback: { tiers: { simple: [mistral/mistral-large-latest] } } }
`;

/** An app with the official SDK: waits until the gateway is configured, then calls in several ways. */
const app = (url: string): string => `
import OpenAI from 'openai';
const ask = (workspace, stream = false) => new OpenAI({ apiKey: 'sk-app', baseURL: '${url}/v1', maxRetries: 0, defaultHeaders: { 'x-sluice-workspace': workspace } })
  .chat.completions.create({ model: 'gpt-5.1', stream, messages: [{ role: 'user', content: 'What is DNS?' }] }).withResponse();
const routed = async () => (await ask('any')).response.headers.get('x-sluice-model') !== null;
// The controller sends Envoy its parts one after the other: several decided requests in a row say that all are there.
for (let tries = 0, inARow = 0; tries < 300 && inARow < 10; tries++) {
  inARow = (await routed().catch(() => false)) ? inARow + 1 : 0;
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const facts = ({ response }, model) => ({ model, attempts: response.headers.get('x-sluice-attempts'), decision: response.headers.get('x-sluice-decision') });
const plain = await ask('any');
const streamed = await ask('any', true);
let model, text = '';
for await (const chunk of streamed.data) { model = chunk.model; text += chunk.choices[0]?.delta.content ?? ''; }
const chained = await ask('chained');
console.log(JSON.stringify({ plain: facts(plain, plain.data.model), streamed: { ...facts(streamed, model), text: text.length > 0 }, chained: facts(chained, chained.data.model) }));
`;

/** Envoy Gateway from its chart on the node, and Sluice attached to it as docs/egress-mesh.md says. */
export function envoyGatewayOnNode(node: NodeCluster): void {
  describe.skipIf(absent !== '')(`the real Envoy Gateway from its chart${absent}`, () => {
    let url = '';

    beforeAll(async () => {
      await node.namespaces({ mesh: {}, [system]: {} });
      const { cluster } = node;
      await cluster.kubectl(
        'create',
        'secret',
        'generic',
        'providers',
        '--namespace',
        'mesh',
        '--from-literal=mistral=key-of-mistral',
        '--from-literal=down=key-of-down',
      );
      const small = { resources: { requests: { cpu: '10m', memory: '64Mi' } } };
      await Promise.all([
        node.install('sluice', chart, 'mesh', {
          ...localImages,
          shape: 'extension',
          policy: { inline: policy },
          credentials: [{ secret: 'providers' }],
        }),
        node.install('eg', envoyGatewayChart()!, system, {
          global: { images: { envoyProxy: { image: 'localhost/envoy:test', pullPolicy: 'Never' } } },
          deployment: { envoyGateway: small },
          config: {
            envoyGateway: {
              extensionApis: { enableBackend: true, enableEnvoyPatchPolicy: true },
              // There is no load balancer on the node.
              envoyProxy: {
                provider: {
                  type: 'Kubernetes',
                  kubernetes: { envoyService: { type: 'ClusterIP' }, envoyDeployment: { container: small } },
                },
              },
            },
          },
        }),
      ]);
      await cluster.applied(
        stringify({
          apiVersion: 'gateway.networking.k8s.io/v1',
          kind: 'GatewayClass',
          metadata: { name: 'eg' },
          spec: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
        }),
      );
      const folder = join(node.folder, 'mesh-policy');
      mkdirSync(folder);
      writeFileSync(join(folder, 'policy.yaml'), policy);
      await cluster.applied(
        await runCli([
          'render',
          'envoy-gateway',
          '--policy',
          folder,
          '--namespace',
          'mesh',
          '--sluice',
          'sluice.mesh.svc.cluster.local:9000',
        ]),
      );
      const owned = ['--namespace', system, '--selector', 'gateway.envoyproxy.io/owning-gateway-name=sluice'];
      let service = '';
      await until(
        async () => (service = await cluster.kubectl('get', 'service', ...owned, '--output', 'jsonpath={.items[0].metadata.name}')) !== '',
        "the Gateway's Service",
        () => cluster.said('kubelet'),
      );
      url = `http://${service}.${system}`;
      await cluster.kubectl('wait', '--for=condition=Programmed', 'gateway/sluice', '--namespace', 'mesh', '--timeout=60s');
    }, 180_000);

    it("serves an official SDK's calls, whole and streamed, and falls back along a chain", async () => {
      const said = (await node.runPod('apps', {}, app(url))) as Record<'plain' | 'streamed' | 'chained', { readonly decision: string }>;
      expect(said).toMatchObject({
        plain: { model: 'gpt-5-nano', attempts: '1' },
        streamed: { model: 'gpt-5-nano', attempts: '1', text: true },
        chained: { model: 'mistral-large-latest', attempts: '2' },
      });
      for (const call of ['plain', 'streamed'] as const)
        expect(await node.record('mesh', said[call].decision)).toMatchObject({
          requestedModel: 'gpt-5.1',
          servedModel: 'gpt-5-nano',
          outcome: 'complete',
          verdict: { tier: 'simple' },
        });
      expect(await node.record('mesh', said.chained.decision)).toMatchObject({
        requestedModel: 'gpt-5.1',
        servedModel: 'mistral-large-latest',
        outcome: 'complete',
        attempts: [
          { target: { provider: 'down', model: 'gpt-5-nano' }, status: 500 },
          { target: { provider: 'mistral', model: 'mistral-large-latest' }, status: 200 },
        ],
      });
    });

    it('has its patches programmed', async () => {
      const programmed = 'jsonpath={.status.ancestors[*].conditions[?(@.type=="Programmed")].status}';
      await expect
        .poll(() => node.cluster.kubectl('get', 'envoypatchpolicy', 'sluice', '--namespace', 'mesh', '--output', programmed), {
          timeout: 30_000,
        })
        .toBe('True');
    });
  });
}
