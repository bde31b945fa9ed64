import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KubeConfig } from '@kubernetes/client-node';
import { loadCatalog } from '../../src/catalog/index.ts';
import { KubernetesPolicyStore } from '../../src/kubernetes/policy-store.ts';
import { TestCluster, until } from './support/cluster.ts';
import { missing } from './support/tools.ts';

const absent = missing('testkube');
const policy = (model: string): string => `version: 1\ndefaults:\n  tiers: [simple]\n  candidates: { simple: [openai/${model}] }\n`;

describe.skipIf(absent !== '')(`the status of policies on a real API server${absent}`, () => {
  let cluster: TestCluster;
  const stores: KubernetesPolicyStore[] = [];
  const failures: string[] = [];

  const applied = (name: string, text: string): Promise<string> =>
    cluster.applied(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: 'llm', labels: { 'sluice.dev/policy': 'true' } },
        data: { 'policy.yaml': text },
      }),
    );
  const versionOf = (name: string): Promise<string> =>
    cluster.kubectl('get', 'configmap', name, '--namespace', 'llm', '--output', 'jsonpath={.metadata.resourceVersion}');
  const line = (key: string): Promise<string> =>
    cluster.kubectl('get', 'configmap', 'sluice-status', '--namespace', 'llm', '--output', `jsonpath={.data.${key}}`);
  const wait = (key: string, value: string): Promise<string> =>
    cluster.kubectl('wait', 'configmap/sluice-status', '--namespace', 'llm', `--for=jsonpath={.data.${key}}=${value}`, '--timeout=30s');
  const events = async (reason: string): Promise<readonly string[]> => {
    const text = await cluster.kubectl('get', 'events', '--namespace', 'llm', '--field-selector', `reason=${reason}`, '--output', 'json');
    return (
      JSON.parse(text) as { readonly items: readonly { readonly message: string; readonly involvedObject: { readonly name: string } }[] }
    ).items.map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`);
  };

  beforeAll(async () => {
    cluster = new TestCluster();
    await cluster.start();
    await cluster.applied(
      ['Namespace', 'ConfigMap']
        .map((kind) =>
          JSON.stringify({
            apiVersion: 'v1',
            kind,
            metadata: kind === 'Namespace' ? { name: 'llm' } : { name: 'sluice-status', namespace: 'llm' },
          }),
        )
        .join('\n---\n'),
    );
    await applied('routing', policy('gpt-5-nano'));
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    for (const replica of ['sluice-a', 'sluice-b'])
      stores.push(
        await KubernetesPolicyStore.open({
          config,
          namespaces: ['llm'],
          trusted: ['llm'],
          labelSelector: 'sluice.dev/policy=true',
          llmPolicies: false,
          catalog: await loadCatalog(),
          onRuleError: () => undefined,
          status: { namespace: 'llm', name: 'sluice-status', replica },
          onSourceError: (what, failure) => failures.push(`${what}: ${failure}`),
        }),
      );
  });
  afterAll(async () => {
    await Promise.all(stores.slice(1).map((store) => store.close()));
    await cluster.stop();
  });

  it('can be waited for with kubectl, and an Event says the same', async () => {
    await wait('replicas', '2/2');
    await applied('routing', policy('gpt-4.1-nano'));
    await wait(String.raw`llm\.routing\.version`, await versionOf('routing'));
    const { hash } = stores[0]!.current();
    expect(await line(String.raw`llm\.routing`)).toMatch(new RegExp(`^in-force version \\d+ policy ${hash} since 2\\S+Z replicas 2/2$`));
    await until(
      async () => (await events('PolicyInForce')).includes(`routing: In force as part of policy ${hash} on 2/2 replicas.`),
      'the Event',
    );
    expect((await events('PolicyInForce')).filter((text) => text.includes(hash))).toHaveLength(1);
  });

  it('names the ConfigMap that a conflict is with', async () => {
    await applied('second', policy('gpt-5-nano'));
    const words = /defaults is written down in another file too \(first in llm\/routing#policy\.yaml\)/;
    await until(async () => (await events('PolicyConflict')).some((text) => text.startsWith('second: ') && words.test(text)), 'the Event');
    await until(async () => words.test(await line(String.raw`llm\.second`)), 'the line');
    expect(await line(String.raw`llm\.second`)).toMatch(/^left-out version \d+ /);
    expect(await line(String.raw`llm\.second\.version`)).toBe('');
  });

  it('counts replicas that are there', async () => {
    await stores[0]!.close();
    await applied('routing', policy('gpt-5-nano'));
    await wait('replicas', '1/1');
    expect(failures).toEqual([]);
  });
});
