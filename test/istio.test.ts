import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { freePorts } from '../src/demo/stack.ts';
import { findEnvoy } from '../src/attach/binary.ts';
import type { Manifest } from '../src/attach/manifests.ts';
import { fetchVia } from './support/fetch-as.ts';
import { sidecarConfig } from './support/istio.ts';
import { expectCrossed, expectRouted, ownersLimit, saidToTooLarge, tooLargeSaid } from './support/mesh.ts';
import { allWell, resets, ScriptedProvider, status } from './support/scripted-provider.ts';
import { ServedSluice } from './support/serve.ts';

const envoy = await findEnvoy();
const cli = fileURLToPath(new URL('../bin/sluice', import.meta.url));
const render = (...args: readonly string[]): Manifest[] =>
  parseAllDocuments(execFileSync(cli, ['render', 'istio', ...args], { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 })).map(
    (document) => document.toJS() as Manifest,
  );

/** What the owner of the mesh sets for the providers' hosts. */
const ownersFilter: Manifest = {
  apiVersion: 'networking.istio.io/v1alpha3',
  kind: 'EnvoyFilter',
  metadata: { name: 'limit', namespace: 'istio-system' },
  spec: {
    configPatches: tooLargeSaid.map(([, host]) => ({
      applyTo: 'VIRTUAL_HOST',
      match: { routeConfiguration: { vhost: { name: `${host}:80` } } },
      patch: { operation: 'MERGE', value: { request_body_buffer_limit: ownersLimit } },
    })),
  },
};

describe.skipIf(envoy === null).each(['observe', 'collect'])(
  "Istio's proxy with the rendered EnvoyFilters, which tells of answers by %s",
  (usage) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-istio-'));
    const openai = new ScriptedProvider();
    const mistral = new ScriptedProvider();
    const other = new ScriptedProvider();
    const sluice = new ServedSluice(folder);
    let call: typeof fetch;
    let proxyAt = { port: 0, adminUrl: '' };
    let proxy: ChildProcess | null = null;

    beforeAll(async () => {
      writeFileSync(join(folder, 'key'), 'key-of-mistral');
      const policy = `
version: 1
providers:
  openai: { endpoint: "${await openai.listen()}" }
  mistral: { endpoint: "${await mistral.listen()}/base", credentialFile: "${join(folder, 'key')}" }
defaults:
  allowProviders: [mistral]
  candidates: { simple: [openai/gpt-4.1-nano], standard: [openai/gpt-4.1-mini], complex: [openai/gpt-4.1] }
sections:
  - name: chained
    match: { workspace: [chained] }
    fallback: { models: { gpt-4.1: [openai/gpt-4.1-mini, mistral/mistral-large-latest] } }
  - name: crossing
    match: { workspace: [crossing] }
    tiers: [simple]
    candidates: { simple: [mistral/mistral-large-latest] }
`;
      await sluice.start(policy);
      const [listen, admin] = await freePorts(2);
      proxyAt = { port: listen!, adminUrl: `http://127.0.0.1:${admin!}` };
      const otherPort = Number(new URL(await other.listen()).port);
      const manifests = render('--policy', sluice.policyFolder, '--sluice', `127.0.0.1:${sluice.port}`, '--usage', usage);
      const file = join(folder, 'envoy.json');
      writeFileSync(file, JSON.stringify(sidecarConfig([...manifests, ownersFilter], listen!, admin!, { 'other.example': otherPort })));
      call = fetchVia(listen!);
      proxy = spawn(envoy!, ['-c', file, '--use-dynamic-base-id', '--concurrency', '2', '--log-level', 'off'], { stdio: 'ignore' });
      for (let tries = 0; tries < 400 && (await fetch(`http://127.0.0.1:${admin!}/ready`).catch(() => null))?.status !== 200; tries++)
        await new Promise((resolve) => setTimeout(resolve, 50));
      // A cold start on a busy machine can be too slow for Envoy's patience.
      for (let tries = 0; tries < 100 && (await ask('any')).response.headers.get('x-sluice-model') === null; tries++)
        await new Promise((resolve) => setTimeout(resolve, 50));
    }, 60_000);

    afterAll(async () => {
      proxy?.kill('SIGKILL');
      await sluice.stop();
      await Promise.all([openai.close(), mistral.close(), other.close()]);
      rmSync(folder, { recursive: true, force: true });
    });

    beforeEach(() => {
      allWell([openai, mistral, other]);
    });

    const clientOf = (workspace: string): OpenAI =>
      new OpenAI({
        apiKey: 'sk-app',
        baseURL: 'http://api.openai.com/v1',
        fetch: call,
        maxRetries: 0,
        defaultHeaders: { 'x-sluice-workspace': workspace },
      });
    const ask = (workspace: string, content = 'What is a CDN?') =>
      clientOf(workspace)
        .chat.completions.create({ model: 'gpt-4.1', messages: [{ role: 'user', content }] })
        .withResponse();

    it.each([[[]], [['--attach', 'egress-gateway', '--namespace', 'istio-system']]])('is taken by Envoy: %j', (args) => {
      const file = join(folder, 'validate.json');
      writeFileSync(file, JSON.stringify(sidecarConfig(render(...args, '--usage', usage), 1, 2, {})));
      expect(execFileSync(envoy!, ['--mode', 'validate', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] }).toString()).toContain('OK');
    });

    it('has no message without a type, for which istiod drops a whole patch', () => {
      expect(untyped({ config: {} }, 'patch')).toEqual(['patch.config']);
      for (const args of [[], ['--attach', 'egress-gateway', '--namespace', 'istio-system']])
        expect(
          render(...args)
            .filter(({ kind }) => kind === 'EnvoyFilter')
            .flatMap(({ spec }) => untyped(spec, 'spec')),
        ).toEqual([]);
    });

    it("routes an official SDK's call and records it", async () => {
      await expectRouted(await ask('any'), (id) => sluice.record(id), openai);
    });

    it('sends it to another provider with that one’s key and path', async () => {
      expectCrossed(await ask('crossing'), mistral, openai);
    });

    it.each([
      ['small', 0],
      ['larger than the listener’s buffer', 400_000],
    ])('falls back along a chain, each target with its own key: %s', async (_what, spaces) => {
      openai.behaviour = status(500);
      const { data, response } = await ask('chained', `What is a CDN? ${' '.repeat(spaces)}`);
      expect([data.model, response.headers.get('x-sluice-attempts')]).toEqual(['mistral-large-latest', '3']);
      expect(openai.got.map(({ model, headers }) => [model, headers.authorization])).toEqual([
        ['gpt-4.1-nano', 'Bearer sk-app'],
        ['gpt-4.1-mini', 'Bearer sk-app'],
      ]);
      expect(mistral.got.map(({ path, headers }) => [path, headers.authorization])).toEqual([
        ['/base/v1/chat/completions', 'Bearer key-of-mistral'],
      ]);
      expect((await sluice.record(response.headers.get('x-sluice-decision'))).attempts).toHaveLength(3);
    });

    it('gives the app the last error when no target is left', async () => {
      openai.behaviour = status(500);
      mistral.behaviour = status(418, { error: { message: 'the last word' } });
      await expect(ask('chained')).rejects.toThrow(/418.*the last word/);
    });

    it('gives the app an error of its API when a provider breaks off', async () => {
      openai.behaviour = resets;
      await expect(ask('any')).rejects.toMatchObject({ status: 503, code: 'provider_unreachable' });
      mistral.behaviour = resets;
      await expect(ask('chained')).rejects.toMatchObject({ status: 503, code: 'provider_unreachable' });
    });

    it.each(tooLargeSaid)('says in the words of the API that a request is larger than the owner’s limit: %s', async (path, host, body) => {
      expect(await saidToTooLarge(proxyAt, path, host)).toMatchObject({ status: 413, body });
      expect(openai.got).toEqual([]);
    });

    it('obeys no header of a client that leads a request elsewhere', async () => {
      const forged = { 'x-sluice-cluster': 'provider_mistral', 'x-sluice-chain': '1', 'x-envoy-attempt-count': '1', 'x-sluice-retry': '1' };
      const response = await call('http://api.openai.com/v1/models', { headers: forged });
      expect(openai.got).toHaveLength(1);
      expect(mistral.got).toEqual([]);
      expect(Object.keys(openai.got[0]!.headers).filter((name) => name.startsWith('x-sluice'))).toEqual([]);
      await response.arrayBuffer();
    });

    it('reads answers as it was rendered to', async () => {
      const metrics = await fetch(`${sluice.adminUrl}/metrics`).then((response) => response.text());
      const read = [...metrics.matchAll(/^llm_proxy_answer_source_total\{(.*?)\}/gm)].map(([, labels]) => labels);
      expect(read).toEqual([usage === 'collect' ? 'envoy="collect",source="collected"' : 'envoy="observe",source="copies"']);
    });

    it('leaves other hosts alone', async () => {
      const response = await call('http://other.example/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"model":"gpt-4.1","messages":[{"role":"user","content":"What is a CDN?"}]}',
      });
      expect([...response.headers.keys()].filter((name) => name.startsWith('x-sluice'))).toEqual([]);
      expect(other.got).toMatchObject([{ model: 'gpt-4.1' }]);
      await response.arrayBuffer();
    });

    it('lets requests pass when Sluice is gone', async () => {
      await sluice.stop();
      const { data } = await ask('any');
      expect(data.model).toBe('gpt-4.1');
    });
  },
);

/** Paths of messages that may be of any type and do not say of which. */
function untyped(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const any = ['config', 'typed_config'].includes(key) || path.endsWith('.typed_per_filter_config');
    const named = typeof child === 'object' && child !== null && '@type' in child;
    return [...(any && !named ? [`${path}.${key}`] : []), ...untyped(child, `${path}.${key}`)];
  });
}
