import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { llmPolicyDefinition } from '../../src/kubernetes/chart/definition.ts';
import { readPolicyFiles } from '../../src/policy/source.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { loadCatalog } from '../../src/catalog/index.ts';
import { ProviderSimulator } from '../../src/demo/simulator.ts';
import { TestCluster, until } from './support/cluster.ts';
import { definitionsChart, helm, type Values } from './support/helm.ts';
import { LocalRelease } from './support/release.ts';
import { missing } from './support/tools.ts';
import { certify, pointHere } from './support/webhook-here.ts';

const absent = missing('testkube', 'helm');

/** A policy as an object of its own. */
function llmPolicy(name: string, spec: object, metadata: object = {}): string {
  return stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'LLMPolicy',
    metadata: { name, namespace: 'llm', ...metadata },
    spec: { version: 1, ...spec },
  });
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

interface Status {
  readonly observedGeneration: number;
  readonly version: string;
  readonly hash: string;
  readonly replicas: string;
  readonly conditions: readonly Condition[];
}

it('the definition is the one in the chart', () => {
  expect(readFileSync(join(definitionsChart, 'templates/llmpolicies.yaml'), 'utf8')).toBe(llmPolicyDefinition());
});

describe.skipIf(absent !== '')(`LLMPolicies on a real API server${absent}`, () => {
  let cluster: TestCluster;
  let release: LocalRelease;
  let values: Values;
  let ca: string;
  const simulator = new ProviderSimulator();

  const tiers = (model: string): object => ({ defaults: { tiers: ['simple'], candidates: { simple: [`openai/${model}`] } } });
  const section = (name: string, facts: object = {}): object => ({ sections: [{ name, match: { workspace: [name] }, ...facts }] });
  const served = async (): Promise<string | null> => {
    const answer = await fetch(`${release.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}',
    });
    await answer.arrayBuffer();
    return answer.headers.get('x-sluice-model');
  };
  /** On a busy machine a decision may come too late, and the request goes on undecided. */
  const serves = (model: string): Promise<void> => until(async () => (await served()) === model, model);
  const statusOf = async (name: string): Promise<Status> =>
    (JSON.parse(await cluster.kubectl('get', 'llmpolicy', name, '--namespace', 'llm', '--output', 'json')) as { readonly status: Status })
      .status;
  const condition = async (name: string, type: string): Promise<Condition | undefined> =>
    (await statusOf(name)).conditions.find((each) => each.type === type);
  const waitFor = (name: string, what: string): Promise<string> =>
    cluster.kubectl('wait', `llmpolicy/${name}`, '--namespace', 'llm', `--for=${what}`, '--timeout=30s');
  const metric = async (name: string): Promise<string | undefined> =>
    new RegExp(`^${name} (\\S+)$`, 'm').exec(await (await fetch(`${release.adminUrl}/metrics`)).text())?.[1];
  const admission = async (): Promise<void> => {
    await pointHere(cluster, release, values, ca);
    await until(async () => !(await cluster.apply(llmPolicy('probe', { nonsense: 1 }), '--dry-run=server')).ok, 'the webhook');
  };

  beforeAll(async () => {
    cluster = new TestCluster();
    await cluster.start();
    await cluster.applied(stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'llm' } }));
    release = new LocalRelease(cluster);
    values = {
      webhooks: { policy: true, existingSecret: 'of-this-test' },
      policy: { llmPolicies: true, inline: `version: 1\nproviders:\n  openai: { endpoint: "${await simulator.listen()}" }\n` },
    };
    ca = certify(cluster, release, 'here');
    await release.start(values);
  });

  afterAll(async () => {
    release.stop();
    await simulator.close();
    await cluster.stop();
  });

  it('are none until their definition is there: ConfigMaps go on, and a metric says so', async () => {
    await serves('gpt-5.1');
    await until(async () => (await metric('llm_proxy_policy_source_connected')) === '0', 'the metric');
    await helm(['install', 'definitions', definitionsChart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig]);
    await until(async () => (await metric('llm_proxy_policy_source_connected')) === '1', 'the watch');
  });

  it('decide like ConfigMaps, can be waited for, and say in columns and conditions how they are doing', async () => {
    await cluster.applied(llmPolicy('routing', tiers('gpt-5-nano')));
    await waitFor('routing', 'condition=Programmed');
    await waitFor('routing', 'condition=Accepted');
    await serves('gpt-5-nano');
    const status = await statusOf('routing');
    expect(status).toMatchObject({ observedGeneration: 1, replicas: '1/1' });
    expect(await condition('routing', 'Programmed')).toMatchObject({
      reason: 'InForce',
      message: `In force as part of policy ${status.hash} on 1/1 replicas.`,
    });
    const columns = await cluster.kubectl('get', 'llmp', '--namespace', 'llm');
    expect(columns).toMatch(/^NAME +ACCEPTED +PROGRAMMED +REPLICAS +AGE\nrouting +True +True +1\/1 /);
    // The metric of sources and the record name it as their own kind.
    const { sources } = (await (await fetch(`${release.adminUrl}/policy`)).json()) as {
      readonly sources: readonly { readonly id: string }[];
    };
    expect(sources.map(({ id }) => id)).toContain('llm/LLMPolicy.routing');
    expect(await cluster.kubectl('explain', 'llmpolicy.spec.sections')).toContain('Settings by workspace and provider');
  });

  it('make no new version by their status: the policy and its Event stay as they are', async () => {
    const before = await statusOf('routing');
    await cluster.kubectl('annotate', 'llmpolicy', 'routing', '--namespace', 'llm', 'note=1');
    await cluster.applied(llmPolicy('routing', tiers('gpt-4.1-nano')));
    await serves('gpt-4.1-nano');
    await until(async () => (await statusOf('routing')).observedGeneration === 2, 'its status');
    const after = await statusOf('routing');
    expect(after.hash).not.toBe(before.hash);
    expect(Number(after.version)).toBeGreaterThan(Number(before.version));
    // What the status says did not change sides, so it is as old as it was.
    expect(after.conditions.map((each) => each.lastTransitionTime)).toEqual(before.conditions.map((each) => each.lastTransitionTime));
    const events = async (): Promise<readonly string[]> => {
      const selector = 'involvedObject.kind=LLMPolicy,reason=PolicyInForce';
      const text = await cluster.kubectl('get', 'events', '--namespace', 'llm', '--field-selector', selector, '--output', 'json');
      return (JSON.parse(text) as { readonly items: readonly { readonly message: string }[] }).items.map(({ message }) => message).sort();
    };
    const said = [before, after].map(({ hash }) => `In force as part of policy ${hash} on 1/1 replicas.`).sort();
    await until(async () => (await events()).length >= said.length, 'the Events');
    expect(await events()).toEqual(said);
  });

  it('with a mistake keep their last good version in force, and name the place in spec', async () => {
    await cluster.applied(
      llmPolicy('routing', { ...tiers('gpt-5-mini'), sections: [{ name: 'a', match: { workspace: ['a'] }, mode: 'on' }] }),
    );
    await until(async () => (await condition('routing', 'Accepted'))?.status === 'False', 'the refusal');
    expect(await condition('routing', 'Accepted')).toMatchObject({
      reason: 'Invalid',
      observedGeneration: 3,
      message: expect.stringMatching(/^The last good version stays in force\. spec\.sections\[0\]\.mode: /) as string,
    });
    expect(await condition('routing', 'Programmed')).toMatchObject({ status: 'False', reason: 'LastGood' });
    await serves('gpt-4.1-nano');
    await cluster.applied(llmPolicy('routing', tiers('gpt-4.1-nano')));
    await waitFor('routing', 'condition=Accepted');
  });

  it('may bear the name of a ConfigMap, and yield to the older of two that say the same', async () => {
    const spec = section('shop', { mode: 'shadow' });
    await cluster.applied(
      stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'shop', namespace: 'llm', labels: { 'sluice.dev/policy': 'true' } },
        data: { 'policy.yaml': stringify({ version: 1, ...section('shop') }) },
      }),
    );
    await until(async () => (await (await fetch(`${release.adminUrl}/policy`)).text()).includes('"llm/shop"'), 'the ConfigMap');
    await cluster.applied(llmPolicy('shop', spec));
    await until(async () => (await condition('shop', 'Accepted'))?.reason === 'Conflict', 'the conflict');
    expect((await condition('shop', 'Accepted'))?.message).toContain('there is another section called shop');
    expect(await condition('shop', 'Programmed')).toMatchObject({ status: 'False', reason: 'NotInForce' });
    await cluster.kubectl('delete', 'configmap', 'shop', '--namespace', 'llm');
    await waitFor('shop', 'condition=Programmed');
  });

  it('are refused by the webhook in the same words, and the last policy is not deleted by mistake', async () => {
    await admission();
    const { ok, output } = await cluster.apply(llmPolicy('bad', section('bad', { tiers: ['simpel'] })));
    expect(ok).toBe(false);
    expect(output).toMatch(/Sluice refuses this policy:\nspec\.sections\[0\]\.tiers\[0\]: .*Did you mean simple\?/);
    // A name that the definition does not know is not cut off before Sluice has seen it.
    expect((await cluster.apply(llmPolicy('typo', { sectoins: [] }))).output).toContain('Did you mean sections?');
    await cluster.kubectl('annotate', 'configmap', 'rel-sluice-policy', '--namespace', 'llm', 'sluice.dev/allow-no-policy=true');
    await cluster.kubectl('delete', 'llmpolicy', 'shop', '--namespace', 'llm');
    await cluster.kubectl('delete', 'configmap', 'rel-sluice-policy', '--namespace', 'llm');
    const gone = await cluster.kubectl('delete', 'llmpolicy', 'routing', '--namespace', 'llm').then(
      () => '',
      (error: unknown) => (error as { readonly stderr: string }).stderr,
    );
    expect(gone).toContain('Sluice refuses to remove the last policy');
    expect(gone).toContain('kubectl annotate llmpolicy routing --namespace llm sluice.dev/allow-no-policy=true');
    expect((await condition('routing', 'Programmed'))?.status).toBe('True');
  });

  it('go with their definition, as Kubernetes has it', async () => {
    await cluster.kubectl('delete', 'validatingwebhookconfiguration', 'here');
    await cluster.kubectl('delete', 'customresourcedefinition', 'llmpolicies.sluice.dev');
    await until(async () => (await metric('llm_proxy_policy_none')) === '1', 'no policy');
    await until(async () => (await metric('llm_proxy_policy_source_connected')) === '0', 'the metric');
  });
});

describe('a manifest of an LLMPolicy', () => {
  it('is a policy file with the manifest’s own lines', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-manifest-'));
    try {
      const file = join(folder, 'policy.yaml');
      writeFileSync(
        file,
        'apiVersion: sluice.dev/v1alpha1\nkind: LLMPolicy\nmetadata: { name: a, namespace: llm }\nspec:\n  version: 1\n  # a note\n  sections:\n    - name: a\n      match: { workspace: [a] }\n      mode: on\n',
      );
      const files = readPolicyFiles(file);
      expect(files).toMatchObject([{ name: `${file}#spec`, namespace: 'llm' }]);
      const { problems } = compilePolicy(files, { catalog: await loadCatalog() });
      expect(problems).toMatchObject([{ line: 10, column: 13, path: 'sections[0].mode' }]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
