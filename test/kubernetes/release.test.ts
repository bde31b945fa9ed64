import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { KubeConfig } from '@kubernetes/client-node';
import { ProviderSimulator } from '../../src/demo/simulator.ts';
import { keepSpareEndpoints } from '../../src/kubernetes/spare-endpoints.ts';
import { TestCluster, until } from './support/cluster.ts';
import { runCli } from './support/cli.ts';
import { chart, helm, plainHelm, template, type Values } from './support/helm.ts';
import { fields } from './support/fields.ts';
import { definitionsOf, noDefinitions } from './support/definitions.ts';
import { LocalRelease, objectsOf } from './support/release.ts';
import { missing } from './support/tools.ts';

const absent = missing('testkube', 'helm');
const variants: readonly (readonly [string, Values])[] = [
  ['gateway', {}],
  ['extension', { shape: 'extension' }],
  ['gateway, one replica, all namespaces', { replicas: 1, policy: { allNamespaces: true, inline: 'version: 1' } }],
  [
    'gateway, webhooks',
    { webhooks: { policy: true }, egress: { baseUrl: true, names: { enabled: true } }, networkPolicy: { enabled: true } },
  ],
  [
    'extension, webhook, certificates of others',
    {
      shape: 'extension',
      webhooks: { policy: true, existingSecret: 'mine', annotations: { 'cert-manager.io/inject-ca-from': 'llm/mine' } },
    },
  ],
  [
    'extension, scaled',
    { shape: 'extension', autoscaling: { enabled: true }, networkPolicy: { enabled: true }, policy: { namespaces: ['team-a'] } },
  ],
  [
    'gateway, volumes that outlive pods, references',
    {
      persistence: { enabled: true, storageClass: 'fast' },
      ledger: { enabled: true, key: { secret: 'ledger' } },
      cache: { redis: { secret: 'redis', passwordKey: 'password', caKey: 'ca.crt' } },
      admin: { token: { secret: 'admin' }, ingress: { enabled: true, host: 'sluice.example.com' } },
      otlp: { endpoint: 'http://collector:4318', headers: { secret: 'otlp' } },
      commonLabels: { team: 'platform' },
      extraContainers: [],
      networkPolicy: { egress: { enabled: true, to: [{ ports: [{ port: 6379 }] }] } },
    },
  ],
  [
    'extension, fields of Services and pods',
    {
      shape: 'extension',
      service: { trafficDistribution: 'PreferClose', ipFamilyPolicy: 'PreferDualStack', internalTrafficPolicy: 'Cluster' },
      ledger: { postgres: { secret: 'postgres', passwordKey: 'password' } },
      podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null },
      securityContext: { runAsUser: null, runAsGroup: null },
      dnsConfig: { options: [{ name: 'ndots', value: '1' }] },
      hostAliases: [{ ip: '10.0.0.1', hostnames: ['models.internal'] }],
      extraVolumes: [{ name: 'extra', emptyDir: {} }],
      extraVolumeMounts: [{ name: 'extra', mountPath: '/extra' }],
      catalog: { configMap: 'prices' },
    },
  ],
  ['gateway, mounted policy', { policy: { mounted: 'mine' } }],
  [
    'extension, policy at a URL',
    { shape: 'extension', policy: { url: { address: 'https://policies.example/all.yaml', tokenSecret: 'mine' } } },
  ],
  [
    'sidecar',
    { shape: 'sidecar', sidecar: { namespaces: ['team-a', 'strict'] }, webhooks: { policy: true }, networkPolicy: { enabled: true } },
  ],
  [
    'gateway, everything of Kubernetes itself',
    {
      autoscaling: { enabled: true },
      networkPolicy: { enabled: true, apps: [{ namespaceSelector: {} }] },
      monitoring: { dashboard: true },
      credentials: [{ secret: 'openai' }],
      service: { type: 'LoadBalancer', port: 8080 },
      podDisruptionBudget: { maxUnavailable: '25%' },
      topologySpread: { whenUnsatisfiable: 'DoNotSchedule' },
    },
  ],
];

interface Uid {
  readonly uid: string;
}

/** What the Prometheus operator picks up, in each shape. */
const monitoring = { podMonitor: true, prometheusRule: true, dashboard: true, interval: '15s', labels: { release: 'prometheus' } };
const monitored: readonly (readonly [string, Values, readonly string[]])[] = [
  ['gateway', { monitoring }, ['PodMonitor/rel-sluice', 'PrometheusRule/rel-sluice']],
  ['extension', { shape: 'extension', monitoring }, ['PodMonitor/rel-sluice', 'PrometheusRule/rel-sluice']],
  [
    'gateway, with the page at a gateway',
    { monitoring, admin: { httpRoute: { enabled: true, parentRefs: [{ name: 'gateway' }], hostnames: ['sluice.example.com'] } } },
    ['PodMonitor/rel-sluice', 'PrometheusRule/rel-sluice'],
  ],
  [
    'sidecar',
    { shape: 'sidecar', sidecar: { namespaces: ['team-a'] }, monitoring },
    ['PodMonitor/rel-sluice', 'PodMonitor/rel-sluice-sidecars', 'PrometheusRule/rel-sluice'],
  ],
  ['gateway, only the PodMonitor, no labels', { monitoring: { podMonitor: true } }, ['PodMonitor/rel-sluice']],
  ['gateway, only the rules, no labels', { monitoring: { prometheusRule: true } }, ['PrometheusRule/rel-sluice']],
];

describe.skipIf(absent !== '')(`releases on a real API server${absent}`, () => {
  let cluster: TestCluster;
  const env = (): Record<string, string> => ({ KUBECONFIG: cluster.kubeconfig });

  beforeAll(async () => {
    cluster = new TestCluster();
    await cluster.start();
    const namespace = (name: string, labels: object = {}): string =>
      `---\n${stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })}`;
    await cluster.applied(
      namespace('llm') + namespace('team-a') + namespace('strict', { 'pod-security.kubernetes.io/enforce': 'restricted' }),
    );
    // A controller would make these; it takes longer to start than all else here.
    for (const name of ['llm', 'strict']) await cluster.kubectl('create', 'serviceaccount', 'default', '--namespace', name);
  });

  afterAll(() => cluster.stop());

  it.each(variants)('pass a strict dry run of the server: %s', async (_name, values) => {
    const rendered = await template(values);
    await cluster.applied(rendered, '--dry-run=server', '--validate=strict');
    // As a pod of its own, which the restricted level of pod security refuses rather than warns about.
    const { template: pod, volumeClaimTemplates = [] } = objectsOf(rendered).find(
      ({ kind }) => kind === 'Deployment' || kind === 'StatefulSet',
    )!.spec;
    const claimed = volumeClaimTemplates.map(({ metadata }) => ({ name: metadata.name, emptyDir: {} }));
    const lone = stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'lone', namespace: 'strict' },
      spec: { ...pod.spec, volumes: [...pod.spec.volumes, ...claimed], serviceAccountName: undefined },
    });
    expect(await cluster.applied(lone, '--dry-run=server', '--validate=strict')).toBe('pod/lone created (server dry run)\n');
  });

  describe.skipIf(noDefinitions !== '')(
    `with definitions of the Prometheus operator, cert-manager and the Gateway API${noDefinitions}`,
    () => {
      beforeAll(async () => {
        await cluster.kubectl(
          'apply',
          '--server-side',
          '--filename',
          definitionsOf('prometheus-operator')!,
          '--filename',
          definitionsOf('cert-manager')!,
          '--filename',
          join(definitionsOf('envoy-gateway')!, 'gatewayapi-crds.yaml'),
        );
        await cluster.kubectl('wait', '--for=condition=Established', '--all', 'crd');
      });

      it.each(monitored)('pass a strict dry run of the server: %s', async (_name, values, made) => {
        const rendered = await template(values);
        await cluster.applied(rendered, '--dry-run=server', '--validate=strict');
        expect(
          objectsOf(rendered)
            .filter(({ apiVersion }) => apiVersion === 'monitoring.coreos.com/v1')
            .map(({ kind, metadata }) => `${kind}/${metadata.name}`)
            .sort(),
        ).toEqual(made);
      });

      it('passes with every field of Kubernetes, and each is in what the server makes of it', async () => {
        const rendered = await template({
          ...fields,
          autoscaling: { enabled: true, behavior: { scaleDown: { stabilizationWindowSeconds: 60 } } },
        });
        const made = await cluster.applied(rendered, '--dry-run=server', '--validate=strict', '--output', 'json');
        for (const what of [
          '"loadBalancerClass": "example.com/internal"',
          '"loadBalancerSourceRanges"',
          '"trafficDistribution": "PreferClose"',
          '"runtimeClassName": "gvisor"',
          '"dnsConfig"',
          '"hostAliases"',
          '"revisionHistoryLimit": 2',
          '"ingressClassName": "nginx"',
          '"kind": "HTTPRoute"',
          '"name": "before"',
          '"name": "beside"',
          '"name": "rel-map"',
          '"name": "rel-text"',
          '"storageClassName": "fast"',
          '"envFrom"',
          '"Egress"',
        ])
          expect(made).toContain(what);
      });

      it.each([
        ['a CA of the release', {}, ['Certificate', 'Certificate', 'Certificate', 'Issuer', 'Issuer']],
        ['an issuer that exists', { issuerRef: { kind: 'ClusterIssuer', name: 'company' } }, ['Certificate', 'Certificate']],
      ])('leave certificates to cert-manager, which takes them strictly: %s', async (_name, more, made) => {
        const rendered = await template({
          webhooks: { policy: true },
          egress: { names: { enabled: true } },
          certManager: { enabled: true, ...more },
        });
        await cluster.applied(rendered, '--dry-run=server', '--validate=strict');
        const objects = objectsOf(rendered);
        expect(
          objects
            .filter(({ apiVersion }) => apiVersion === 'cert-manager.io/v1')
            .map(({ kind }) => kind)
            .sort(),
        ).toEqual(made);
        // The Secrets that cert-manager fills are those that the pod mounts, and the webhooks trust the CA of theirs.
        const { volumes } = objects.find(({ kind }) => kind === 'Deployment')!.spec.template.spec;
        for (const what of ['webhook', 'egress']) {
          const secretName = `rel-sluice-${what}`;
          expect(volumes).toContainEqual(
            expect.objectContaining({ name: what, secret: expect.objectContaining({ secretName }) as object }),
          );
          const filled = objects.find(({ kind, metadata }) => kind === 'Certificate' && metadata.name === secretName);
          expect(filled?.spec).toMatchObject({ secretName });
        }
        const configurations = objects.filter(({ kind }) => kind.endsWith('WebhookConfiguration'));
        expect(configurations.map(({ metadata }) => metadata)).toMatchObject(
          ['Validating', 'Mutating'].map(() => ({ annotations: { 'cert-manager.io/inject-ca-from': 'llm/rel-sluice-webhook' } })),
        );
        expect(objects.some(({ kind }) => kind === 'Secret')).toBe(false);
      });

      it('are refused with a field that they do not know', async () => {
        const rendered = (await template({ monitoring: { podMonitor: true } })).replace('podMetricsEndpoints:', 'podMetricEndpoints:');
        expect((await cluster.apply(rendered, '--dry-run=server', '--validate=strict')).output).toContain(
          'unknown field "spec.podMetricEndpoints"',
        );
      });
    },
  );

  it.each([
    ['gateway', 'OPENAI_BASE_URL=http://rel-sluice.llm/v1\n'],
    ['extension', 'Envoys call Sluice at rel-sluice.llm:9000 '],
    ['sidecar', 'New pods in team-a get Envoy and Sluice of their own'],
  ])('are installed, upgraded, rolled back and removed: %s', async (shape, said) => {
    // Nothing runs a job here.
    const ofSidecars = { sidecar: { namespaces: ['team-a'] }, egress: { onUninstall: 'ignore' } };
    const values = { shape, ...(shape === 'sidecar' ? ofSidecars : {}) };
    const replicas = (): Promise<string> =>
      cluster.kubectl('get', 'deployment', 'rel-sluice', '--namespace', 'llm', '--output', 'jsonpath={.spec.replicas}');
    expect(await helm(['install', 'rel', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig], values)).toContain(said);
    expect(await replicas()).toBe('2');
    await helm(['upgrade', 'rel', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig], {
      ...values,
      replicas: 4,
      policy: { inline: 'version: 1' },
    });
    expect(await replicas()).toBe('4');
    expect(
      await cluster.kubectl('get', 'configmap', '--namespace', 'llm', '--selector', 'sluice.dev/policy=true', '--output', 'name'),
    ).toBe('configmap/rel-sluice-policy\n');
    await plainHelm(['rollback', 'rel', '1', '--namespace', 'llm'], env());
    expect(await replicas()).toBe('2');
    await plainHelm(['uninstall', 'rel', '--namespace', 'llm'], env());
    expect(
      await cluster.kubectl(
        'get',
        'deployment,service,role,rolebinding,serviceaccount,poddisruptionbudget,configmap,secret,mutatingwebhookconfiguration',
        '--namespace',
        'llm',
        '--selector',
        'app.kubernetes.io/instance=rel',
        '--output',
        'name',
      ),
    ).toBe(shape === 'sidecar' ? 'secret/rel-sluice-tls\n' : '');
    // The CA outlives its release, since pods trust it: a new release adopts it.
    if (shape === 'sidecar') await cluster.kubectl('delete', 'secret', 'rel-sluice-tls', '--namespace', 'llm');
  });

  it.each(['gateway', 'extension'])('upgrade from the chart of the version before, with its values reused or reset: %s', async (shape) => {
    // As `helm package` made it.
    const older = fileURLToPath(new URL('./charts/sluice-0.1.0.tgz', import.meta.url));
    const at = ['--namespace', 'llm', '--kubeconfig', cluster.kubeconfig];
    const deployment = async (): Promise<{
      readonly metadata: Uid;
      readonly spec: { readonly replicas: number; readonly template: object };
    }> =>
      JSON.parse(await cluster.kubectl('get', 'deployment', 'rel-sluice', '--namespace', 'llm', '--output', 'json')) as Awaited<
        ReturnType<typeof deployment>
      >;
    await helm(['install', 'rel', older, ...at], { shape, replicas: 3, webhooks: { policy: true } });
    const before = await deployment();
    for (const how of ['--reuse-values', '--reset-then-reuse-values']) {
      await plainHelm(['upgrade', 'rel', chart, how, ...at, '--set', 'podLabels.team=platform'], {});
      const { metadata, spec } = await deployment();
      expect([spec.replicas, spec.template]).toMatchObject([3, { metadata: { labels: { team: 'platform' } } }]);
      // Its pods are replaced one by one: it is the same object.
      expect(metadata.uid).toBe(before.metadata.uid);
      await plainHelm(['rollback', 'rel', '1', ...at], {});
      expect((await deployment()).spec).toEqual(before.spec);
    }
    await plainHelm(['uninstall', 'rel', ...at], {});
    await cluster.kubectl('delete', 'secret', '--namespace', 'llm', '--all');
  });

  it('ask before they go, with rights of their own, which pods need them', async () => {
    const values = { egress: { names: { enabled: true }, onUninstall: 'refuse' } };
    const hooks = await helm(
      ['template', 'rel', chart, '--namespace', 'llm', '--kube-version', '1.37.1', '--show-only', 'templates/leave.yaml'],
      values,
    );
    await cluster.applied(hooks);
    const [{ args }] = objectsOf(hooks).find(({ kind }) => kind === 'Job')!.spec.template.spec.containers as [{ args: readonly string[] }];
    const ask = async (): Promise<readonly [code: number, said: string]> =>
      runCli(args, { KUBECONFIG: await cluster.serviceAccountConfig('llm', 'rel-sluice-leave') }).then(
        (said) => [0, said] as const,
        (error: unknown) => {
          const { code, stdout, stderr } = error as { readonly code: number; readonly stdout: string; readonly stderr: string };
          return [code, stdout + stderr] as const;
        },
      );
    expect(await ask()).toEqual([0, 'No running pod needs this release.\n']);
    await cluster.kubectl('create', 'serviceaccount', 'default', '--namespace', 'team-a');
    const marked = (name: string, gateway: string): object => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'team-a',
        labels: { 'sluice.dev/governed': 'names' },
        annotations: { 'sluice.dev/egress-status': 'governed', 'sluice.dev/egress-gateway': gateway },
      },
      spec: { containers: [{ name: 'app', image: 'app' }] },
    });
    for (const pod of [marked('mine', 'llm/rel-sluice 10.96.0.9'), marked('other', 'llm/other 10.96.0.8')])
      await cluster.applied(JSON.stringify(pod));
    const [code, said] = await ask();
    expect([code, said]).toEqual([
      1,
      expect.stringMatching(/^This release is needed by 1 running pod\. .*\n {2}team-a\/mine \(names\)\nTake/),
    ]);
    const warned = await runCli([...args.filter((arg) => !arg.startsWith('--leave')), '--leave=warn'], {
      KUBECONFIG: await cluster.serviceAccountConfig('llm', 'rel-sluice-leave'),
    });
    expect(warned).toBe(said);
    await cluster.kubectl('delete', 'pod', 'mine', 'other', '--namespace', 'team-a', '--force', '--grace-period=0');
    // Without the right to list pods it is known only that nothing is known.
    await cluster.kubectl('delete', 'clusterrolebinding', 'llm-rel-sluice-leave');
    const unknown = await runCli([...args.filter((arg) => !arg.startsWith('--leave')), '--leave=warn'], {
      KUBECONFIG: await cluster.serviceAccountConfig('llm', 'rel-sluice-leave'),
    });
    expect(unknown).toMatch(/^Whether pods still call this release is not known\. SLUICE_KUBERNETES/);
    await cluster.kubectl('delete', '--namespace', 'llm', 'job/rel-sluice-leave', 'serviceaccount/rel-sluice-leave');
    await cluster.kubectl('delete', 'clusterrole', 'llm-rel-sluice-leave');
    await cluster.kubectl('delete', 'serviceaccount', 'default', '--namespace', 'team-a');
  });

  it('are installed by an admin of the namespace alone, who may grant nothing more', async () => {
    // Nothing aggregates roles here: these three are what the role admin consists of.
    for (const role of ['admin', 'edit', 'view'])
      await cluster.kubectl(
        'create',
        'rolebinding',
        `tom-${role}`,
        `--clusterrole=system:aggregate-to-${role}`,
        '--user=tom',
        '--namespace',
        'llm',
      );
    const asTom = ['--namespace', 'llm', '--kubeconfig', cluster.kubeconfig, '--kube-as-user', 'tom'];
    expect(await helm(['install', 'rel', chart, ...asTom])).toContain('STATUS: deployed');
    expect(await helm(['upgrade', 'rel', chart, ...asTom], { policy: { inline: 'version: 1' }, persistence: { enabled: true } })).toContain(
      'REVISION: 2',
    );
    await expect(helm(['upgrade', 'rel', chart, ...asTom], { service: { spareEndpoints: true } })).rejects.toThrow(/endpointslices/);
    await plainHelm(['uninstall', 'rel', '--namespace', 'llm'], env());
    for (const role of ['admin', 'edit', 'view']) await cluster.kubectl('delete', 'rolebinding', `tom-${role}`, '--namespace', 'llm');
  });

  it('make spare endpoints of their pods, with no more rights than the chart gives', async () => {
    const values = { service: { spareEndpoints: true }, egress: { names: { enabled: true }, onUninstall: 'ignore' } };
    await helm(['install', 'rel', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig], values);
    const pod = { name: 'rel-sluice-1', uid: '6f1b2c3d-0000-4000-8000-000000000001', addresses: ['10.1.0.7', 'fd00::7'] };
    const failures: string[] = [];
    const keep = (addresses: readonly string[]): (() => void) =>
      keepSpareEndpoints({
        config: spareConfig,
        namespace: 'llm',
        service: 'rel-sluice',
        pod: { ...pod, addresses },
        ports: { http: 10_001, https: 10_444 },
        onError: (failure) => failures.push(failure),
      });
    const spareConfig = new KubeConfig();
    spareConfig.loadFromFile(await cluster.serviceAccountConfig('llm', 'rel-sluice'));
    const slices = async (): Promise<string> =>
      cluster.kubectl(
        'get',
        'endpointslices',
        '--namespace',
        'llm',
        '--selector',
        'kubernetes.io/service-name=rel-sluice,endpointslice.kubernetes.io/managed-by=sluice.dev',
        '--output',
        'jsonpath={range .items[*]}{.metadata.name} {.addressType} {.endpoints[0].addresses[0]} {.endpoints[0].conditions} {.ports[*].name} {.ports[*].port} {.metadata.ownerReferences[0].uid}{"\\n"}{end}',
      );
    const line = (name: string, type: string, address: string): string =>
      `${name} ${type} ${address} {"ready":false,"serving":true,"terminating":true} http https 10001 10444 ${pod.uid}\n`;
    keep(pod.addresses);
    await until(
      async () => (await slices()) === line('rel-sluice-1-spare', 'IPv4', '10.1.0.7') + line('rel-sluice-1-spare-ipv6', 'IPv6', 'fd00::7'),
      'slices',
    );
    // A pod that its node starts again has another address.
    keep(['10.1.0.9', 'fd00::7']);
    await until(async () => (await slices()).startsWith(line('rel-sluice-1-spare', 'IPv4', '10.1.0.9')), 'the new address');
    expect(failures).toEqual([]);
    await plainHelm(['uninstall', 'rel', '--namespace', 'llm'], env());
    await cluster.kubectl('delete', 'secret', 'rel-sluice-tls', '--namespace', 'llm');
    await cluster.kubectl('delete', 'endpointslices', '--all', '--namespace', 'llm');
    const close = keep(pod.addresses);
    await until(async () => Promise.resolve(failures.length > 0), 'a failure without the right');
    close();
    expect(failures[0]).toMatch(/^403 .*endpointslices/);
  });

  it('may read ConfigMaps and write Events where it should, and nothing else', async () => {
    await helm(['install', 'rel', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig], { policy: { namespaces: ['team-a'] } });
    const can = async (namespace: string, verb: string, what: string): Promise<boolean> =>
      (
        await cluster
          .kubectl('auth', 'can-i', verb, what, '--namespace', namespace, '--as', 'system:serviceaccount:llm:rel-sluice')
          .catch(() => 'no')
      ).trim() === 'yes';
    for (const namespace of ['llm', 'team-a']) {
      for (const verb of ['get', 'list', 'watch']) expect(await can(namespace, verb, 'configmaps')).toBe(true);
      expect(await can(namespace, 'create', 'events')).toBe(true);
      for (const [verb, what] of [
        ['update', 'configmaps'],
        ['delete', 'configmaps'],
        ['get', 'secrets'],
        ['list', 'pods'],
        ['delete', 'events'],
      ] as const)
        expect([verb, what, await can(namespace, verb, what)]).toEqual([verb, what, false]);
    }
    expect(await can('default', 'list', 'configmaps')).toBe(false);
    await plainHelm(['uninstall', 'rel', '--namespace', 'llm'], env());
  });

  it('run: the pod’s own commands serve an SDK by the release’s ConfigMap, and follow its edit', async () => {
    const simulator = new ProviderSimulator();
    const release = new LocalRelease(cluster);
    try {
      const endpoint = await simulator.listen();
      const values = (model: string): Values => ({
        policy: {
          inline: `version: 1\nproviders:\n  openai: { endpoint: "${endpoint}" }\ndefaults:\n  tiers: [simple]\n  candidates: { simple: [openai/${model}] }\n`,
        },
      });
      await release.start(values('gpt-5-nano'));
      const openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${release.url}/v1`, maxRetries: 0 });
      const ask = async (): Promise<string> =>
        (await openai.chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is DNS?' }] })).model;
      expect(await ask()).toBe('gpt-5-nano');
      await release.helm('upgrade', values('gpt-4.1-nano'));
      await until(async () => (await ask()) === 'gpt-4.1-nano', 'the edit');
    } finally {
      release.stop();
      await simulator.close();
    }
  });
});
