import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Stack } from '../../src/demo/stack.ts';
import { findEnvoy } from '../../src/attach/binary.ts';
import { ScriptedProvider, status } from '../support/scripted-provider.ts';
import { ServedSluice } from '../support/serve.ts';
import { runCli } from './support/cli.ts';
import { TestCluster } from './support/cluster.ts';
import { PodsProxy } from './support/pods-proxy.ts';
import { missing } from './support/tools.ts';
import { findRelease } from '../../src/kubernetes/release.ts';

const absent = missing('testkube') || ((await findEnvoy()) === null ? ' (skipped: no Envoy)' : '');

const policy = (endpoint: string, more = ''): string => `
version: 1
providers: { openai: { endpoint: "${endpoint}" }${more} }
defaults:
  candidates: { simple: [openai/gpt-4.1-nano], standard: [openai/gpt-4.1-mini], complex: [openai/gpt-4.1] }
  fallback: { escalate: true }
`;

describe.skipIf(absent !== '')(`sluice status${absent}`, () => {
  const provider = new ScriptedProvider();
  let cluster: TestCluster;
  let proxy: PodsProxy;
  let stack: Stack;
  let second: ServedSluice;
  let kubeconfig: string;

  const pod = (name: string): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'llm', labels: { 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/instance': 'rel' } },
    spec: { containers: [{ name: 'sluice', image: 'sluice', ports: [{ name: 'admin', containerPort: 9901 }] }] },
  });
  const says = async (...args: readonly string[]): Promise<string> => {
    try {
      return await runCli(['status', ...args], { KUBECONFIG: kubeconfig });
    } catch (error) {
      // A release that is not well is told by the exit code.
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      return stdout === '' ? stderr : stdout;
    }
  };

  beforeAll(async () => {
    const endpoint = await provider.listen();
    cluster = new TestCluster();
    await cluster.start();
    stack = new Stack({ policy: policy(endpoint), endpoint: null });
    await stack.start();
    mkdirSync(join(cluster.folder, 'second'));
    second = new ServedSluice(join(cluster.folder, 'second'));
    await second.start(`${policy(endpoint, ', mistral: { credentialFile: /no/such/key }')}  mode: shadow\n`);
    const objects = [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'llm' } },
      ...['default', 'viewer', 'stranger'].map((name) => ({
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name, namespace: 'llm' },
      })),
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'viewer', namespace: 'llm' },
        rules: [
          { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
          { apiGroups: [''], resources: ['pods/proxy'], verbs: ['get'] },
          { apiGroups: ['apps'], resources: ['deployments'], verbs: ['list'] },
        ],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'viewer', namespace: 'llm' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'viewer' },
        subjects: [{ kind: 'ServiceAccount', name: 'viewer', namespace: 'llm' }],
      },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: {
          name: 'rel-sluice',
          namespace: 'llm',
          labels: { 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/instance': 'rel' },
        },
        spec: {
          replicas: 3,
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'sluice', image: 'sluice' }] } },
        },
      },
      ...['sluice-a', 'sluice-b', 'sluice-c'].map(pod),
    ];
    await cluster.applied(objects.map((object) => `---\n${stringify(object)}`).join(''));
    for (const name of ['sluice-a', 'sluice-b'])
      await cluster.kubectl(
        'patch',
        'pod',
        name,
        '--namespace',
        'llm',
        '--subresource',
        'status',
        '--type',
        'merge',
        '--patch',
        '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}',
      );
    proxy = new PodsProxy(cluster);
    proxy.stand('sluice-a', 9901, stack.adminUrl.slice('http://'.length));
    proxy.stand('sluice-b', 9901, second.adminUrl.slice('http://'.length));
    const server = await proxy.listen();
    // A context for a viewer, and one for somebody without rights.
    const config = async (name: string): Promise<object> => {
      const own = JSON.parse(readFileSync(await cluster.serviceAccountConfig('llm', name), 'utf8')) as { users: [{ user: object }] };
      return { name, user: own.users[0].user };
    };
    kubeconfig = join(cluster.folder, 'contexts');
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'test', cluster: { server, 'certificate-authority': join(cluster.folder, 'pki/ca.crt') } }],
        users: [await config('viewer'), await config('stranger')],
        contexts: ['viewer', 'stranger'].map((name) => ({ name, context: { cluster: 'test', user: name, namespace: 'llm' } })),
        'current-context': 'stranger',
      }),
    );
    const ask = async (): Promise<string | null> => {
      const response = await fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer x' },
        body: '{"model":"gpt-4.1","messages":[{"role":"user","content":"What is a CDN?"}]}',
      });
      await response.arrayBuffer();
      return response.headers.get('x-sluice-model');
    };
    // A cold start on a busy machine can be too slow for Envoy's patience.
    for (let tries = 0; tries < 100 && (await ask()) === null; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
    provider.behaviour = (got, response, answer) => (got.model === 'gpt-4.1-nano' ? status(503)(got, response, answer) : answer());
    await ask();
    for (
      let tries = 0;
      tries < 200 && !(await (await fetch(`${stack.adminUrl}/metrics`)).text()).includes('llm_proxy_fallback_total{');
      tries++
    )
      await new Promise((resolve) => setTimeout(resolve, 30));
  });

  afterAll(async () => {
    await stack?.stop();
    await second?.stop();
    await proxy?.close();
    await provider.close();
    await cluster?.stop();
  });

  it('shows the replicas of a release through the API server, and what needs a look', async () => {
    const text = await says('--context', 'viewer', '--release', 'rel');
    expect(text).toMatch(/^release rel in llm of viewer: 2 of 3 replicas ready\n/);
    expect(text).toMatch(/^sluice-a +yes +0\.1\.0 +#1 [0-9a-f]{16} +\d+s +\d+ +1 +0 +–$/m);
    expect(text).toMatch(/^sluice-b +yes +0\.1\.0 +#1 [0-9a-f]{16} +\d+s +0 +0 +0 +–$/m);
    expect(text).toMatch(/^sluice-c +no +\? +\? /m);
    expect(text).toMatch(
      /^saved {3}\$0\.\d+ \(\d+\.\d% of what was asked for\) since the replicas started; unknown for 0 of \d+ exchanges$/m,
    );
    expect(text).toMatch(/^usage {3}as providers told it for 100\.0% of \d+ answers$/m);
    expect(text).toContain('! not ready: 1 of 3 replicas\n');
    expect(text).toMatch(/! sluice-c did not answer, its figures are in no sum: 503 error trying to reach service/);
    expect(text).toContain('! the replicas have 2 different policies or catalogs\n');
    expect(text).toContain('! sluice-b: 1 key file without a key, though the policy names them; ');
    expect(text).not.toContain('! sluice-a: ');
  });

  it('gives the same facts as JSON', async () => {
    const report = JSON.parse(await says('--context', 'viewer', '--json')) as { wanted: number; replicas: object[] };
    expect(report).toMatchObject({
      wanted: 3,
      replicas: [
        { name: 'sluice-a', ready: true, state: 'asked', facts: { fallbacks: 1, savings: { savings: { unknown: 0 } } } },
        { name: 'sluice-b' },
        { name: 'sluice-c', ready: false, state: 'unknown' },
      ],
    });
  });

  it('says which right is missing, which context there is not, and that a release is not here', async () => {
    expect(await says()).toMatch(/SLUICE_KUBERNETES.*pods of llm cannot be listed: 403 pods is forbidden/s);
    expect(await says('--context', 'elsewhere')).toMatch(/SLUICE_KUBERNETES.*there is no context elsewhere; known: viewer, stranger/s);
    expect(await says('--context', 'viewer', '--release', 'other')).toContain('! no pod of Sluice is here');
  });

  it('asks pods by the path that the API server itself proxies', async () => {
    await cluster.kubectl(
      'patch',
      'pod',
      'sluice-a',
      '--namespace',
      'llm',
      '--subresource',
      'status',
      '--type',
      'merge',
      '--patch',
      '{"status":{"podIP":"127.0.0.1","podIPs":[{"ip":"127.0.0.1"}]}}',
    );
    const error: unknown = await runCli(['status', '--namespace', 'llm'], { KUBECONFIG: cluster.kubeconfig }).catch(
      (reason: unknown) => reason,
    );
    // It has found the pod and its port, and would go there if it were not loopback.
    expect((error as { stdout: string }).stdout).toContain('sluice-a did not answer, its figures are in no sum: 400 address not allowed\n');
  });

  it('asks addresses as well, without a cluster', async () => {
    const text = await says('--admin', stack.adminUrl);
    expect(text).toMatch(/^Sluice: 1 of 1 replica ready\n/);
    expect(text).not.toContain('!');
    expect(await says('--admin', 'http://127.0.0.1:1')).toMatch(/did not answer/);
    expect(await says('--admin', 'no address')).toMatch(/SLUICE_CLI_USAGE.*no address is no address/s);
  });

  it('counts the gateways in apps’ pods where the release provides them, and says whose image is another', async () => {
    const app = (name: string, image: string): object => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'shop', labels: { 'sluice.dev/governed': 'sidecar' } },
      spec: {
        initContainers: ['sluice', 'sluice-envoy'].map((each) => ({ name: each, image, restartPolicy: 'Always' })),
        containers: [{ name: 'app', image: 'app' }],
      },
    });
    const [before, own] = [
      pod('side') as { metadata: object },
      { name: 'sluice', image: 'sluice:2', args: ['serve', '--sidecar-template=/x'] },
    ];
    const labels = { 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/instance': 'side' };
    const objects = [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'shop' } },
      { ...before, metadata: { name: 'side', namespace: 'llm', labels }, spec: { containers: [own] } },
      app('new', 'sluice:2'),
      app('old', 'sluice:1'),
    ];
    await cluster.applied(objects.map((object) => `---\n${stringify(object)}`).join(''));
    const up = { state: { running: {} }, ready: true, restartCount: 0, image: 'sluice', imageID: '' };
    const status = { phase: 'Running', initContainerStatuses: ['sluice', 'sluice-envoy'].map((name) => ({ ...up, name })) };
    const patch = ['--subresource', 'status', '--type', 'merge', '--patch', JSON.stringify({ status })];
    await cluster.kubectl('patch', 'pod', 'new', '--namespace', 'shop', ...patch);
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const { sidecars } = await findRelease(config, 'llm', 'side');
    expect(sidecars).toEqual({ state: 'listed', pods: 2, ready: 1, namespaces: 1, otherImage: 1 });
    expect((await findRelease(config, 'llm', 'rel')).sidecars).toBeNull();
    // A viewer of the release's namespace alone.
    expect(await says('--context', 'viewer', '--release', 'side')).toMatch(/\nsidecars unknown\n[\s\S]*! sidecars cannot be counted: 403 /);
  });
});
