import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { ProviderSimulator } from '../../src/demo/simulator.ts';
import { freePorts } from '../../src/demo/stack.ts';
import { findEnvoy } from '../../src/envoy/binary.ts';
import { TestCluster, until } from './support/cluster.ts';
import { chart, helm, plainHelm, template, type Values } from './support/helm.ts';
import { missing } from './support/tools.ts';

const absent = missing('testkube', 'helm');
const entry = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));

interface Container {
  readonly name: string;
  readonly args: readonly string[];
}

interface KubeObject {
  readonly kind: string;
  readonly apiVersion: string;
  readonly spec: { readonly template: { readonly metadata: object; readonly spec: { readonly initContainers: readonly Container[]; readonly containers: readonly Container[] } } };
}

const objectsOf = (text: string): KubeObject[] => parseAllDocuments(text).flatMap((document) => (document.contents === null ? [] : [document.toJS() as KubeObject]));

const variants: readonly (readonly [string, Values])[] = [
  ['gateway', {}],
  ['extension', { shape: 'extension' }],
  ['gateway, one replica, all namespaces', { replicas: 1, policy: { allNamespaces: true, inline: 'version: 1' } }],
  ['extension, scaled', { shape: 'extension', autoscaling: { enabled: true }, networkPolicy: { enabled: true }, policy: { namespaces: ['team-a'] } }],
  ['gateway, everything of Kubernetes itself', { autoscaling: { enabled: true }, networkPolicy: { enabled: true, apps: [{ namespaceSelector: {} }] }, monitoring: { dashboard: true }, credentials: [{ secret: 'openai' }], service: { type: 'LoadBalancer', port: 8080 }, podDisruptionBudget: { maxUnavailable: '25%' }, topologySpread: { whenUnsatisfiable: 'DoNotSchedule' } }],
];

describe.skipIf(absent !== '')(`releases on a real API server${absent}`, () => {
  let cluster: TestCluster;
  let folder: string;
  const env = (): Record<string, string> => ({ KUBECONFIG: cluster.kubeconfig });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-release-'));
    cluster = new TestCluster();
    await cluster.start();
    const namespace = (name: string, labels: object = {}): string => `---\n${stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })}`;
    await cluster.applied(namespace('llm') + namespace('team-a') + namespace('strict', { 'pod-security.kubernetes.io/enforce': 'restricted' }));
    // A controller would make these; it takes longer to start than all else here.
    for (const name of ['llm', 'strict']) await cluster.kubectl('create', 'serviceaccount', 'default', '--namespace', name);
  });

  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(variants)('pass a strict dry run of the server: %s', async (_name, values) => {
    const rendered = await template(values);
    await cluster.applied(rendered, '--dry-run=server', '--validate=strict');
    // As a pod of its own, which the restricted level of pod security refuses rather than warns about.
    const { template: pod } = objectsOf(rendered).find(({ kind }) => kind === 'Deployment')!.spec;
    const lone = stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'lone', namespace: 'strict' }, spec: { ...pod.spec, serviceAccountName: undefined } });
    expect(await cluster.applied(lone, '--dry-run=server', '--validate=strict')).toBe('pod/lone created (server dry run)\n');
  });

  it.each([['gateway'], ['extension']])('are installed, upgraded, rolled back and removed: %s', async (shape) => {
    const replicas = (): Promise<string> => cluster.kubectl('get', 'deployment', 'rel-sluice', '--namespace', 'llm', '--output', 'jsonpath={.spec.replicas}');
    await helm(['install', 'rel', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig], { shape });
    expect(await replicas()).toBe('2');
    await helm(['upgrade', 'rel', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig], { shape, replicas: 4, policy: { inline: 'version: 1' } });
    expect(await replicas()).toBe('4');
    expect(await cluster.kubectl('get', 'configmap', '--namespace', 'llm', '--selector', 'sluice.dev/policy=true', '--output', 'name')).toBe('configmap/rel-sluice-policy\n');
    await plainHelm(['rollback', 'rel', '1', '--namespace', 'llm'], env());
    expect(await replicas()).toBe('2');
    await plainHelm(['uninstall', 'rel', '--namespace', 'llm'], env());
    expect(await cluster.kubectl('get', 'deployment,service,role,rolebinding,serviceaccount,poddisruptionbudget', '--namespace', 'llm', '--selector', 'app.kubernetes.io/instance=rel', '--output', 'name')).toBe('');
  });

  it('may read ConfigMaps and write Events where it should, and nothing else', async () => {
    await helm(['install', 'rel', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig], { policy: { namespaces: ['team-a'] } });
    const can = async (namespace: string, verb: string, what: string): Promise<boolean> =>
      (await cluster.kubectl('auth', 'can-i', verb, what, '--namespace', namespace, '--as', 'system:serviceaccount:llm:rel-sluice').catch(() => 'no')).trim() === 'yes';
    for (const namespace of ['llm', 'team-a']) {
      for (const verb of ['get', 'list', 'watch']) expect(await can(namespace, verb, 'configmaps')).toBe(true);
      expect(await can(namespace, 'create', 'events')).toBe(true);
      for (const [verb, what] of [['update', 'configmaps'], ['delete', 'configmaps'], ['get', 'secrets'], ['list', 'pods'], ['delete', 'events']] as const) expect([verb, what, await can(namespace, verb, what)]).toEqual([verb, what, false]);
    }
    expect(await can('default', 'list', 'configmaps')).toBe(false);
    await plainHelm(['uninstall', 'rel', '--namespace', 'llm'], env());
  });

  it('run: the pod’s own commands serve an SDK by the release’s ConfigMap, and follow its edit', async () => {
    const envoy = await findEnvoy();
    const simulator = new ProviderSimulator();
    const processes: ChildProcess[] = [];
    try {
      const endpoint = await simulator.listen();
      const [http, status, admin, envoyAdmin] = await freePorts(4);
      const policy = (model: string): string => `version: 1\nproviders:\n  openai: { endpoint: "${endpoint}" }\ndefaults:\n  tiers: [simple]\n  candidates: { simple: [openai/${model}] }\n`;
      const values = (model: string): Values => ({ envoy: { port: http, statusPort: status, concurrency: 1 }, ports: { admin }, extraArgs: [`--envoy-admin=127.0.0.1:${envoyAdmin!}`], policy: { inline: policy(model) } });
      const args = ['rel', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig];
      await helm(['install', ...args], values('gpt-5-nano'));
      const { spec } = objectsOf(await template(values('gpt-5-nano'))).find(({ kind }) => kind === 'Deployment')!.spec.template;
      const local = ({ args: given }: Container): string[] => given.map((arg) => arg.replaceAll('/run/sluice', folder).replaceAll('0.0.0.0', '127.0.0.1'));
      mkdirSync(join(folder, 'envoy'), { recursive: true });
      const kubeconfig = await cluster.serviceAccountConfig('llm', 'rel-sluice');
      processes.push(spawn(process.execPath, [entry, ...local(spec.initContainers[0]!)], { stdio: 'ignore', env: { ...process.env, KUBECONFIG: kubeconfig } }));
      await until(async () => (await fetch(`http://127.0.0.1:${admin!}/readyz`)).ok, 'Sluice');
      processes.push(spawn(envoy!, [...local(spec.containers[0]!), '--use-dynamic-base-id'].filter((arg) => arg !== '--disable-hot-restart'), { stdio: 'ignore' }));
      await until(async () => (await fetch(`http://127.0.0.1:${status!}/ready`)).ok, 'Envoy');
      const openai = new OpenAI({ apiKey: 'sk-test', baseURL: `http://127.0.0.1:${http!}/v1`, maxRetries: 0 });
      const ask = async (): Promise<string> => (await openai.chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is DNS?' }] })).model;
      expect(await ask()).toBe('gpt-5-nano');
      await helm(['upgrade', ...args], values('gpt-4.1-nano'));
      await until(async () => (await ask()) === 'gpt-4.1-nano', 'the edit');
    } finally {
      for (const child of processes) child.kill('SIGKILL');
      await simulator.close();
    }
  });
});
