import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ProviderSimulator } from '../../src/demo/simulator.ts';
import { Stack } from '../../src/demo/stack.ts';
import type { ExchangeRecord } from '../../src/record/types.ts';
import { TestCluster, until } from './support/cluster.ts';
import { missing } from './support/tools.ts';

const absent = missing('testkube');

const rules = {
  watch: { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] },
  events: { apiGroups: [''], resources: ['events'], verbs: ['create'] },
};

function manifest(kind: string, name: string, namespace: string | null, rest: object = {}, apiVersion = 'v1'): string {
  return `---\n${stringify({ apiVersion, kind, metadata: { name, ...(namespace === null ? {} : { namespace }), ...((rest as { metadata?: object }).metadata ?? {}) }, ...Object.fromEntries(Object.entries(rest).filter(([key]) => key !== 'metadata')) })}`;
}

const rbac = 'rbac.authorization.k8s.io/v1';
const role = (namespace: string): string => manifest('Role', 'sluice', namespace, { rules: [rules.watch, rules.events] }, rbac);
const binding = (namespace: string): string =>
  manifest(
    'RoleBinding',
    'sluice',
    namespace,
    {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'sluice' },
      subjects: [{ kind: 'ServiceAccount', name: 'sluice', namespace: 'platform' }],
    },
    rbac,
  );

function configMap(namespace: string, name: string, policy: string): string {
  return manifest('ConfigMap', name, namespace, { metadata: { labels: { 'sluice.dev/policy': 'true' } }, data: { 'policy.yaml': policy } });
}

function routed(model: string): string {
  return `version: 1\ndefaults:\n  candidates:\n    simple: [openai/${model}]\n    standard: [openai/gpt-5-mini]\n    complex: [openai/gpt-5.1]\n`;
}

interface PolicyState {
  readonly resourceVersion: string | null;
  readonly sources: readonly { readonly id: string; readonly state: string }[];
}

interface EventList {
  readonly items: readonly { readonly reason: string; readonly message: string; readonly involvedObject: { readonly name: string } }[];
}

describe.skipIf(absent !== '')(`policies in ConfigMaps of a real API server${absent}`, () => {
  let cluster: TestCluster;
  const simulator = new ProviderSimulator();
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kept-'));
  const kept = join(folder, 'policy.json');
  let stack: Stack;

  beforeAll(async () => {
    cluster = new TestCluster();
    await cluster.start();
    await cluster.applied(
      ['platform', 'team-a'].map((name) => manifest('Namespace', name, null)).join('') +
        manifest('ServiceAccount', 'sluice', 'platform') +
        ['platform', 'team-a'].map((each) => role(each) + binding(each)).join(''),
    );
    const kubeconfig = await cluster.serviceAccountConfig('platform', 'sluice');
    stack = new Stack({
      policy: routed('gpt-5-nano'),
      endpoint: await simulator.listen(),
      source: { args: ['--policy-configmaps', 'platform,team-a', '--policy-kept', kept], env: { KUBECONFIG: kubeconfig } },
    });
    await stack.start();
  });

  afterAll(async () => {
    await stack.stop();
    await simulator.close();
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = async (workspace = 'any'): Promise<{ readonly model: string | null; readonly id: string | null }> => {
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sluice-workspace': workspace },
      body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}',
    });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    return { model: response.headers.get('x-sluice-model'), id: response.headers.get('x-sluice-decision') };
  };
  const apply = async (text: string): Promise<void> => {
    await cluster.applied(text);
  };
  const served = (model: string | null): Promise<void> =>
    until(async () => (await ask()).model === model, `a decision for ${model ?? 'nothing'}`);
  const policy = async (): Promise<PolicyState> => (await (await fetch(`${stack.adminUrl}/policy`)).json()) as PolicyState;
  const metric = async (name: string): Promise<string | undefined> =>
    new RegExp(`^${name} (\\S+)$`, 'm').exec(await (await fetch(`${stack.adminUrl}/metrics`)).text())?.[1];
  const events = async (namespace: string): Promise<EventList> =>
    JSON.parse(await cluster.kubectl('get', 'events', '--namespace', namespace, '--output', 'json')) as EventList;

  it('changes no request while there is none', async () => {
    expect((await ask()).model).toBeNull();
    expect(await policy()).toMatchObject({ resourceVersion: null, sources: [] });
  });

  it('decides by a ConfigMap soon after it is written, and records its resourceVersion', async () => {
    await apply(configMap('platform', 'base', routed('gpt-5-nano')));
    await served('gpt-5-nano');
    const version = await cluster.kubectl(
      'get',
      'configmap',
      'base',
      '--namespace',
      'platform',
      '--output',
      'jsonpath={.metadata.resourceVersion}',
    );
    expect(await policy()).toMatchObject({ resourceVersion: version, sources: [{ id: 'platform/base', state: 'in-force' }] });
    const { id } = await ask();
    await until(async () => {
      const record = (await (await fetch(`${stack.adminUrl}/decisions/${id!}`)).json()) as ExchangeRecord;
      return record.policy.resourceVersion === version;
    }, 'the record');
  });

  it('keeps the last good version of a bad edit, and an Event on it says the line and what would be right', async () => {
    await apply(configMap('platform', 'base', `${routed('gpt-4.1-nano')}  mode: enabeld\n`));
    await until(async () => (await metric('llm_proxy_policy_refused')) === '1', 'the refusal');
    expect((await ask()).model).toBe('gpt-5-nano');
    expect(await metric('llm_proxy_policy_configmaps\\{state="last-good"\\}')).toBe('1');
    await until(async () => (await events('platform')).items.length === 1, 'the Event');
    const [event] = (await events('platform')).items;
    expect(event).toMatchObject({ reason: 'PolicyRefused', involvedObject: { name: 'base' } });
    expect(event!.message).toMatch(
      /^Refused\. The last good version stays in force\. policy\.yaml:7:\d+ error schema at defaults\.mode: .*Did you mean enabled\?/,
    );
    await apply(configMap('platform', 'base', routed('gpt-4.1-nano')));
    await served('gpt-4.1-nano');
    expect(await metric('llm_proxy_policy_refused')).toBe('0');
  });

  it('joins the ConfigMaps of its namespaces, and of two that conflict the one of the first namespace holds', async () => {
    await apply(configMap('platform', 'teams', 'version: 1\ndelegations:\n  team-a: { workspaces: [team-a], may: [mode] }\n'));
    await apply(
      configMap('team-a', 'team', 'version: 1\nsections:\n  - name: team-a\n    match: { workspace: [team-a] }\n    mode: off\n') +
        configMap('team-a', 'usurper', 'version: 1\nsections:\n  - name: team-a\n    match: { workspace: [team-a] }\n    mode: enabled\n'),
    );
    await until(async () => (await ask('team-a')).model === null && (await ask()).model === 'gpt-4.1-nano', 'the section');
    await until(
      async () =>
        (await events('team-a')).items.some(
          ({ reason, involvedObject }) => reason === 'PolicyConflict' && involvedObject.name === 'usurper',
        ),
      'the Event',
    );
    expect((await policy()).sources).toMatchObject([
      { id: 'platform/base', state: 'in-force' },
      { id: 'platform/teams', state: 'in-force' },
      { id: 'team-a/team', state: 'in-force' },
      { id: 'team-a/usurper', state: 'left-out' },
    ]);
    await cluster.kubectl('delete', 'configmap', 'usurper', 'team', '--namespace', 'team-a');
    await until(async () => (await policy()).sources.length === 2, 'the removal');
  });

  it('lets a team take no traffic of another team, and no provider', async () => {
    const thief = (text: string): string => configMap('team-a', 'thief', `version: 1\n${text}`);
    for (const text of [
      'sections:\n  - name: thief\n    match: { workspace: [team-b] }\n    mode: off\n',
      'providers:\n  openai: { endpoint: "http://127.0.0.1:9" }\n',
      'defaults:\n  mode: off\n',
    ]) {
      await apply(thief(text));
      await until(
        async () => (await policy()).sources.some(({ id, state }) => id === 'team-a/thief' && state === 'left-out'),
        'the refusal',
      );
      expect((await ask('team-b')).model).toBe('gpt-4.1-nano');
      await cluster.kubectl('delete', 'configmap', 'thief', '--namespace', 'team-a');
      await until(async () => (await policy()).sources.length === 2, 'the removal');
    }
    expect(
      (await events('team-a')).items.filter(({ reason, message }) => reason === 'PolicyRefused' && message.includes('not-delegated')),
    ).toHaveLength(3);
    await cluster.kubectl('delete', 'configmap', 'teams', '--namespace', 'platform');
    await until(async () => (await policy()).sources.length === 1, 'the removal');
  });

  it('goes on through a kill of the API server, and sees what is written after it', async () => {
    await cluster.killApiServer();
    await until(async () => (await metric('llm_proxy_policy_source_connected')) === '0', 'the loss');
    expect((await ask()).model).toBe('gpt-4.1-nano');
    await cluster.startApiServer();
    await apply(configMap('platform', 'base', routed('gpt-5-nano')));
    await served('gpt-5-nano');
    expect(await metric('llm_proxy_policy_source_connected')).toBe('1');
  });

  it('goes on through a compaction while it was away', async () => {
    await cluster.killApiServer();
    await until(async () => (await metric('llm_proxy_policy_source_connected')) === '0', 'the loss');
    await cluster.startApiServer();
    await apply(configMap('platform', 'base', routed('gpt-4.1-nano')));
    await cluster.compact();
    await served('gpt-4.1-nano');
    await apply(configMap('platform', 'base', routed('gpt-5-nano')));
    await served('gpt-5-nano');
  });

  it('goes on while the API server hangs, notices it, and comes back', async () => {
    cluster.pauseApiServer();
    // Noticed after half a minute without a byte.
    await until(async () => (await metric('llm_proxy_policy_source_connected')) === '0', 'the hang to be noticed');
    expect((await ask()).model).toBe('gpt-5-nano');
    cluster.resumeApiServer();
    await apply(configMap('platform', 'base', routed('gpt-4.1-nano')));
    await served('gpt-4.1-nano');
    await apply(configMap('platform', 'base', routed('gpt-5-nano')));
    await served('gpt-5-nano');
  });

  it('goes on when its rights are taken away, and comes back with them', async () => {
    await cluster.kubectl('delete', 'rolebinding', 'sluice', '--namespace', 'platform');
    // An open watch is not renewed: it ends with the server.
    await cluster.killApiServer();
    await cluster.startApiServer();
    await apply(configMap('platform', 'base', routed('gpt-4.1-nano')));
    await until(async () => (await metric('llm_proxy_policy_source_connected')) === '0', 'the refusal');
    expect((await ask()).model).toBe('gpt-5-nano');
    await apply(binding('platform'));
    await served('gpt-4.1-nano');
  });

  it('starts without an answer on the last good policy, which is kept on disk', async () => {
    await cluster.killApiServer();
    await stack.stopSluice('SIGKILL');
    await stack.startSluice();
    expect((await ask()).model).toBe('gpt-4.1-nano');
    await cluster.startApiServer();
    await served('gpt-4.1-nano');
  });

  it('tries no policy on nothing when it knows it only after the start, without one of an earlier run', async () => {
    await apply(configMap('platform', 'base', `${routed('gpt-5-nano')}rollout: { stages: [1%] }\n`));
    const rollout = async (): Promise<{ readonly stable: string; readonly candidate: { readonly policy: string } | null }> =>
      (await (await fetch(`${stack.adminUrl}/rollout`)).json()) as Awaited<ReturnType<typeof rollout>>;
    await until(async () => (await rollout()).candidate !== null, 'the rollout');
    const { candidate } = await rollout();
    await cluster.killApiServer();
    await stack.stopSluice('SIGKILL');
    rmSync(kept);
    const ready = stack.startSluice();
    const isConnected = (): Promise<string | undefined> => metric('llm_proxy_policy_source_connected').catch(() => undefined);
    await until(async () => (await isConnected()) === '0', 'a start without a policy');
    await cluster.startApiServer();
    await ready;
    expect(await rollout()).toMatchObject({ stable: candidate?.policy, candidate: null });
    await served('gpt-5-nano');
  });
});
