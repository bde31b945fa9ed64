import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { fetchVia } from '../../support/fetch-as.ts';
import { expectCrossed, expectRouted } from '../../support/mesh.ts';
import { allWell, ScriptedProvider, status } from '../../support/scripted-provider.ts';
import { ServedSluice } from '../../support/serve.ts';
import { runCli } from '../support/cli.ts';
import { until, type TestCluster } from '../support/cluster.ts';
import { Istiod } from '../support/istiod.ts';

/**
 * The rendered manifests in a real istiod: an Envoy runs from what it serves to the sidecar of a pod. The cluster has Istio's definitions.
 */
export function istiodTests(shared: () => TestCluster): void {
  describe('the real istiod, from the rendered manifests', () => {
    const [openai, mistral, other] = [new ScriptedProvider(), new ScriptedProvider(), new ScriptedProvider()];
    let istiod: Istiod;
    let sluice: ServedSluice;
    let call: typeof fetch;

    beforeAll(async () => {
      const cluster = shared();
      const endpoints = await Promise.all([openai.listen(), mistral.listen(), other.listen()]);
      const [openaiPort, mistralPort, otherPort] = endpoints.map((endpoint) => Number(new URL(endpoint).port)) as [number, number, number];
      writeFileSync(join(cluster.folder, 'mistral-key'), 'key-of-mistral');
      sluice = new ServedSluice(cluster.folder);
      await sluice.start(`
version: 1
providers:
  openai: { endpoint: "http://127.0.0.1:${openaiPort}" }
  mistral: { endpoint: "http://127.0.0.1:${mistralPort}/base", credentialFile: "${join(cluster.folder, 'mistral-key')}" }
  # Their real endpoints are encrypted: certificates would come from Istio's agent, which is not here.
  anthropic: { endpoint: "http://127.0.0.1:${otherPort}" }
  google: { endpoint: "http://127.0.0.1:${otherPort}" }
  deepseek: { endpoint: "http://127.0.0.1:${otherPort}" }
defaults:
  allowProviders: [mistral]
  tiers: [simple]
  candidates: { simple: [openai/gpt-4.1-nano] }
sections:
  - { name: chained, match: { workspace: [chained] }, fallback: { models: { gpt-4.1: [openai/gpt-4.1-mini, mistral/mistral-large-latest] } } }
  - { name: crossing, match: { workspace: [crossing] }, candidates: { simple: [mistral/mistral-large-latest] } }
`);
      await cluster.applied(stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team-a' } }));
      const elsewhere = {
        apiVersion: 'networking.istio.io/v1',
        kind: 'ServiceEntry',
        metadata: { name: 'other', namespace: 'team-a' },
        spec: {
          hosts: ['other.example'],
          location: 'MESH_EXTERNAL',
          resolution: 'STATIC',
          ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: otherPort }],
          endpoints: [{ address: '127.0.0.1' }],
        },
      };
      await cluster.applied(
        `${await runCli(['render', 'istio', '--policy', sluice.policyFolder, '--sluice', `127.0.0.1:${sluice.port}`, '--namespace', 'team-a'])}---\n${stringify(elsewhere)}`,
      );
      istiod = new Istiod(cluster);
      await istiod.start();
      call = fetchVia(await istiod.sidecar('team-a', [openaiPort, mistralPort, otherPort, sluice.port]));
      await until(
        async () => (await ask('any')).response.headers.get('x-sluice-model') === 'gpt-4.1-nano',
        'a routed call',
        () => `${istiod.said}\n${istiod.sidecarSaid}`,
      );
    });

    afterAll(async () => {
      await istiod?.stop();
      await sluice?.stop();
      await Promise.all([openai.close(), mistral.close(), other.close()]);
    });

    beforeEach(() => {
      allWell([openai, mistral, other]);
    });

    const ask = (workspace: string) =>
      new OpenAI({
        apiKey: 'sk-app',
        baseURL: 'http://api.openai.com/v1',
        fetch: call,
        maxRetries: 0,
        defaultHeaders: { 'x-sluice-workspace': workspace },
      }).chat.completions
        .create({ model: 'gpt-4.1', messages: [{ role: 'user', content: 'What is a CDN?' }] })
        .withResponse();

    it("routes an official SDK's call and records it", async () => {
      await expectRouted(await ask('any'), (id) => sluice.record(id), openai);
    });

    it('sends it to another provider with that one’s key and path', async () => {
      expectCrossed(await ask('crossing'), mistral, openai);
    });

    it('falls back along a chain, each target with its own key', async () => {
      openai.behaviour = status(500);
      const { data, response } = await ask('chained');
      expect([data.model, response.headers.get('x-sluice-attempts')]).toEqual(['mistral-large-latest', '3']);
      expect(mistral.got).toMatchObject([{ path: '/base/v1/chat/completions', headers: { authorization: 'Bearer key-of-mistral' } }]);
      expect((await sluice.record(response.headers.get('x-sluice-decision'))).attempts).toHaveLength(3);
    });

    it('obeys no header of a client that leads a request elsewhere', async () => {
      const response = await call('http://api.openai.com/v1/models', {
        headers: { 'x-sluice-cluster': 'provider_mistral', 'x-sluice-chain': '1', 'x-envoy-attempt-count': '1' },
      });
      await response.arrayBuffer();
      expect([openai.got.length, mistral.got.length]).toEqual([1, 0]);
    });

    it('leaves other hosts alone', async () => {
      const response = await call('http://other.example/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"model":"gpt-4.1","messages":[{"role":"user","content":"What is a CDN?"}]}',
      });
      await response.arrayBuffer();
      expect([...response.headers.keys()].filter((name) => name.startsWith('x-sluice'))).toEqual([]);
      expect(other.got).toMatchObject([{ model: 'gpt-4.1' }]);
    });

    it('lets requests pass when Sluice is gone', async () => {
      await sluice.stop();
      expect((await ask('any')).data.model).toBe('gpt-4.1');
    });
  });
}
