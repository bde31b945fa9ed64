import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KubeConfig } from '@kubernetes/client-node';
import { loadCatalog } from '../../src/catalog/index.ts';
import { KubernetesPolicyStore } from '../../src/kubernetes/policy-store.ts';
import { SharedState } from '../../src/kubernetes/shared-state.ts';
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

  it('keeps the state of rollouts for new replicas beside its lines', async () => {
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const problems: string[] = [];
    const opened = (name = 'sluice-status'): Promise<SharedState> =>
      SharedState.open({ config, namespace: 'llm', name, onError: (failure) => problems.push(failure) });
    const [first, second] = [await opened(), await opened()];
    expect([first.initial, second.initial]).toEqual([null, null]);
    first.write('{"stable":"a"}');
    second.write('{"stable":"b"}');
    await Promise.all([first.close(), second.close()]);
    first.write('{"stable":"ü"}');
    await first.close();
    expect((await opened()).initial).toBe('{"stable":"ü"}');
    expect(await line(String.raw`llm\.routing`)).toMatch(/^in-force /);
    expect(problems).toEqual([]);
    // What is too large is not kept, and nothing older in its place.
    first.write(randomBytes(300_000).toString('base64'));
    await first.close();
    expect(problems).toEqual([expect.stringMatching(/^it has \d+ bytes, compressed; at most 196608 are kept$/)]);
    expect((await opened()).initial).toBeNull();
    // A replica that could not read it leaves it as it is.
    const blind = await opened('missing');
    blind.write('{}');
    await blind.close();
    expect(problems).toHaveLength(2);
  });

  it('counts replicas that are there', async () => {
    await stores[0]!.close();
    await applied('routing', policy('gpt-5-nano'));
    await wait('replicas', '1/1');
    expect(failures).toEqual([]);
  });
});
