import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { chartReadme, valuesDefaults, valuesSchema, valuesYaml } from '../../src/kubernetes/chart/files.ts';
import { chart, helm, template, type Values } from './support/helm.ts';
import { fields } from './support/fields.ts';
import { missing } from './support/tools.ts';

/** What objects grant, and to whom. */
interface Granted {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly { readonly resources: readonly string[] }[];
  readonly roleRef?: { readonly name: string };
  readonly subjects?: readonly { readonly kind: string }[];
}

/** An object that helm makes at a moment of the release. */
interface Hook {
  readonly kind: string;
  readonly metadata?: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec?: { readonly template: { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } } };
}

const absent = missing('helm');
const read = (path: string): string => readFileSync(`${chart}/${path}`, 'utf8');

/** What the golden files hold: the defaults of each shape, and everything switched on. */
const everything: Values = {
  replicas: 3,
  autoscaling: { enabled: true },
  networkPolicy: { enabled: true, monitoring: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }] },
  monitoring: { podMonitor: true, prometheusRule: true, dashboard: true, labels: { release: 'prometheus' } },
  policy: { inline: 'version: 1\ndefaults:\n  mode: shadow\n', namespaces: ['team-a'] },
  credentials: [{ secret: 'openai' }],
  cache: { redis: { secret: 'redis' } },
  budgets: { redis: { secret: 'budgets', key: 'address' } },
  ledger: { enabled: true },
  imagePullSecrets: [{ name: 'registry' }],
  podAnnotations: { team: 'platform' },
  extraEnv: [{ name: 'TZ', value: 'UTC' }],
  extraArgs: ['--max-delay=100'],
};

const webhooks: Values = {
  webhooks: { policy: true },
  egress: { baseUrl: true, names: { enabled: true, extraCas: [{ configMap: 'company' }, { secret: 'partner', key: 'root.pem' }] } },
  networkPolicy: { enabled: true },
};

/** cert-manager makes the certificates. */
const certManager: Values = { ...webhooks, certManager: { enabled: true } };

const sidecar: Values = {
  shape: 'sidecar',
  sidecar: { namespaces: ['shop'] },
  webhooks: { policy: true, failurePolicy: { pods: 'Fail' }, imagePullSecrets: ['registry'] },
  networkPolicy: { enabled: true },
  monitoring: { podMonitor: true },
};

describe('the chart', () => {
  it('has values, schema and README as their tables make them', () => {
    expect(read('values.yaml')).toBe(valuesYaml());
    expect(read('values.schema.json')).toBe(valuesSchema());
    expect(read('files/defaults.json')).toBe(valuesDefaults());
    expect(read('README.md')).toBe(chartReadme(read('README.md')));
  });
});

describe.skipIf(absent !== '')(`the chart, by helm${absent}`, () => {
  it.each([
    ['gateway', {}],
    ['extension', { shape: 'extension' }],
    ['everything', everything],
    ['webhooks', webhooks],
    ['cert-manager', certManager],
    ['sidecar', sidecar],
    ['fields', fields],
  ])('renders %s as its golden file has it', async (name, values) => {
    await expect(await template(values)).toMatchFileSnapshot(`./golden/${name}.yaml`);
  });

  it('gives LLMPolicies the rights that they need where they are read, and the webhook', async () => {
    const watched: Values = { shape: 'sidecar', sidecar: { namespaces: ['shop'] }, webhooks: { policy: true } };
    for (const [policy, kind] of [
      [{ llmPolicies: true, namespaces: ['team-a'] }, 'Role'],
      [{ llmPolicies: true, allNamespaces: true }, 'ClusterRole'],
    ] as const) {
      const objects = parseAllDocuments(await template({ ...watched, policy })).map((document) => document.toJS() as Granted);
      const status = objects.filter((each) => each.rules?.some(({ resources }) => resources.includes('llmpolicies/status')));
      expect(status.map((each) => each.kind)).toEqual(kind === 'Role' ? ['Role', 'Role'] : ['ClusterRole']);
      const bindings = objects.filter(({ roleRef }) => roleRef?.name === status[0]!.metadata.name);
      // Pods of apps read policies, and write nothing of them.
      expect(bindings.map(({ subjects }) => subjects?.map((subject) => subject.kind))).toEqual(status.map(() => ['ServiceAccount']));
      expect(objects.filter((each) => each.rules?.some(({ resources }) => resources.includes('llmpolicies')))).toHaveLength(status.length);
      expect(JSON.stringify(objects)).toContain('"llmpolicy.sluice.dev"');
    }
    expect(await template(watched)).not.toContain('llmpolic');
  });

  it.each([
    ['gateway', {}],
    ['extension', { shape: 'extension' }],
    ['everything', everything],
    ['webhooks', webhooks],
    ['cert-manager', certManager],
    ['sidecar', sidecar],
    ['fields', fields],
  ])('passes a strict lint: %s', async (_name, values) => {
    expect(await helm(['lint', chart, '--strict'], values)).toContain('0 chart(s) failed');
  });

  it.each([
    ['everything', everything],
    ['fields', fields],
    ['extension', { shape: 'extension' }],
    ['webhooks', webhooks],
    ['sidecar', sidecar],
  ])('renders the same twice: %s', async (_name, values) => {
    expect(await template(values)).toBe(await template(values));
  });

  it('renders the same without any default in its values', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'sluice-chart-'));
    try {
      cpSync(chart, copy, { recursive: true });
      writeFileSync(join(copy, 'values.yaml'), '');
      for (const values of [{}, everything, sidecar, certManager, { shape: 'extension' }])
        expect(await template(values, copy)).toBe(await template(values));
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });

  it('listens on every address of the pod, of IPv6 too where it is told to, and in an app’s pod not on what is for the pod alone', async () => {
    const listens = async (values: Values): Promise<(string | undefined)[]> => {
      const text = await template(values);
      return [...text.matchAll(/--(?:admin|metrics|webhook|envoy-[a-z-]*listen|envoy-status|listen)=((?:\[::\]|[\d.]+):)\d/g)].map(
        ([, on]) => on,
      );
    };
    expect(new Set(await listens({ ...webhooks, ipv6: true }))).toEqual(new Set(['[::]:']));
    expect(new Set(await listens(webhooks))).toEqual(new Set(['0.0.0.0:']));
    expect(new Set(await listens({ ...sidecar, ipv6: true }))).toEqual(new Set(['[::]:', '127.0.0.1:']));
  });

  it('has the labels and annotations for every object on every object', async () => {
    for (const values of [
      fields,
      { ...everything, commonLabels: fields['commonLabels'], commonAnnotations: fields['commonAnnotations'] },
    ]) {
      const objects = parseAllDocuments(await template({ ...values, extraObjects: [] })).flatMap((document) =>
        document.contents === null ? [] : [document.toJS() as Rendered],
      );
      expect(objects.length).toBeGreaterThan(8);
      for (const { kind, metadata } of objects)
        expect([kind, metadata]).toMatchObject([kind, { labels: { team: 'platform' }, annotations: { owner: 'platform@example.com' } }]);
    }
  });

  it('leaves the user to OpenShift where it is told to', async () => {
    const rendered = await template(fields);
    expect(rendered).not.toMatch(/runAsUser|runAsGroup|fsGroup/);
    expect(rendered.match(/runAsNonRoot: true/g)!.length).toBeGreaterThan(2);
  });

  it('closes the admin port to other namespaces, and leaves metrics open, without being told to', async () => {
    const objects = parseAllDocuments(await template({})).map((document) => document.toJS() as Rendered & { spec: { ingress?: Rule[] } });
    const rules = objects.find(({ kind }) => kind === 'NetworkPolicy')!.spec.ingress!;
    const from = (port: string): unknown => rules.filter(({ ports }) => ports.some((each) => each.port === port)).map((rule) => rule.from);
    expect(from('admin')).toEqual([[{ podSelector: {} }]]);
    expect(from('metrics')).toEqual([[{ namespaceSelector: {} }]]);
    expect(from('http')).toEqual([undefined]);
  });

  it('runs as many processes as it is told to, where Envoy has a thread for each and a socket that they share', async () => {
    const workers = async (values: Values): Promise<string[]> => (await template(values)).match(/--workers=\S+/g) ?? [];
    expect(await workers({})).toEqual([]);
    expect(await workers({ workers: 2 })).toEqual(['--workers=2']);
    expect(await workers({ workers: 8, envoy: { concurrency: 0 } })).toEqual(['--workers=8']);
    expect(await workers({ ...sidecar, workers: 2 })).toContain('--workers=2');
    await expect(template({ workers: 3 })).rejects.toThrow('each needs a thread of Envoy');
    await expect(template({ shape: 'extension', workers: 2 })).rejects.toThrow('set replicas');
  });

  it.each<[string, Values, string | null]>([
    ['over restarts of the container, without being told to', {}, '--learning-state=/run/sluice/learning.json'],
    ['on the volume that outlives pods', { persistence: { enabled: true } }, '--learning-state=/var/lib/sluice/learning.json'],
    ['in the shape extension', { shape: 'extension' }, '--learning-state=/run/sluice/learning.json'],
    ['nowhere', { learning: { keep: false } }, null],
  ])('keeps what was learnt: %s', async (_name, values, flag) => {
    const rendered = await template(values);
    expect(rendered.match(/--learning-state=\S+/g)).toEqual(flag === null ? null : [flag]);
    // What it names is a volume of the same container.
    if (flag !== null) expect(rendered).toContain(`mountPath: ${/=(.*)\/learning/.exec(flag)![1]!}\n`);
  });

  it('lets a Service without a ready pod go on with their Envoys where it is told to', async () => {
    const names = { egress: { names: { enabled: true } } };
    const rendered = await template({ ...names, service: { spareEndpoints: true } });
    expect(rendered).toContain('--spare-endpoints=llm/rel-sluice\n');
    for (const path of ['metadata.name', 'metadata.uid', 'status.podIPs']) expect(rendered).toContain(`fieldPath: ${path}\n`);
    expect(rendered.match(/- port: https?-spare/g)).toEqual(['- port: http-spare', '- port: https-spare']);
    expect(rendered.match(/name: https?-spare\n +containerPort: \d+/g)?.map((each) => each.replace(/\n +/, ' '))).toEqual([
      'name: http-spare containerPort: 10001',
      'name: https-spare containerPort: 10444',
    ]);
    const objects = parseAllDocuments(rendered).map((document) => document.toJS() as Granted);
    expect(
      objects.filter(({ kind, rules }) => kind === 'Role' && rules?.some(({ resources }) => resources.includes('endpointslices'))),
    ).toHaveLength(1);
    expect(await template(names)).not.toMatch(/spare|endpointslices/);
  });

  it('prints large integers as integers', async () => {
    const rendered = await template({
      replicas: 1_000_000,
      drainSeconds: 86_400,
      policy: { inline: 'version: 1' },
      ports: { admin: 65_535 },
      podDisruptionBudget: { maxUnavailable: 2_000_000 },
    });
    expect(rendered).toContain('replicas: 1000000\n');
    expect(rendered).toContain('maxUnavailable: 2000000\n');
    expect(rendered.match(/\d(?:\.\d+)?e\+\d+/g)).toBeNull();
  });

  it.each<[string, Values, RegExp]>([
    ['an unknown value', { replica: 3 }, /replica.*not allowed/],
    ['a shape that there is not', { shape: 'mesh' }, /shape/],
    ['a port out of range', { service: { port: 70_000 } }, /service/],
    ['a digest that cannot be one', { image: { digest: 'latest' } }, /digest/],
    ['an inline policy that no simple selector finds', { policy: { inline: 'version: 1', selector: 'a in (b)' } }, /label=value/],
    ['egress without a gateway', { shape: 'extension', egress: { baseUrl: true } }, /shape: gateway/],
    ['sidecars for nobody', { shape: 'sidecar' }, /sidecar\.namespaces/],
    ['sidecars with Secrets of another namespace', { ...sidecar, credentials: [{ secret: 'openai' }] }, /shape: gateway/],
    ['sidecars with a token of another namespace', { ...sidecar, admin: { token: { secret: 'admin' } } }, /shape: gateway/],
    ['a misspelt value in a group', { service: { clusterIp: '10.96.0.9' } }, /clusterIp.*not allowed/],
    ['a route of the page to nowhere', { admin: { ingress: { enabled: true } } }, /admin\.ingress\.host/],
    ['a route of apps to nowhere', { ingress: { enabled: true } }, /: ingress\.host is needed/],
    ['a route of apps from nowhere', { httpRoute: { enabled: true } }, /: httpRoute\.parentRefs is needed/],
    ['a route of apps to what they do not call', { shape: 'extension', ingress: { enabled: true, host: 'a' } }, /shape: gateway/],
    ['spare endpoints of what is no gateway', { shape: 'extension', service: { spareEndpoints: true } }, /shape: gateway/],
    ['a route of the page from nowhere', { admin: { httpRoute: { enabled: true } } }, /parentRefs/],
    ['prices of two sources', { catalog: { configMap: 'a', source: 'https://prices.example' } }, /one of them/],
    ['a policy in two places', { policy: { mounted: 'mine', url: { address: 'https://policies.example/all.yaml' } } }, /one of them/],
    ['an inline policy that nobody would watch', { policy: { mounted: 'mine', inline: 'version: 1' } }, /ConfigMaps that are watched/],
    [
      'a policy webhook for ConfigMaps that are not watched',
      { policy: { url: { address: 'https://policies.example/all.yaml' } }, webhooks: { policy: true } },
      /webhooks\.policy/,
    ],
    ['sidecars with a mounted policy', { ...sidecar, webhooks: {}, policy: { mounted: 'mine' } }, /shape: gateway/],
    [
      'sidecars with a token of another namespace',
      { ...sidecar, policy: { url: { address: 'https://policies.example/{workspace}', tokenSecret: 'mine' } } },
      /shape: gateway/,
    ],
    ['a service account that is neither made nor named', { serviceAccount: { create: false } }, /serviceAccount\.name/],
  ])('refuses %s', async (_name, values, message) => {
    await expect(template(values)).rejects.toThrow(message);
  });

  it('takes certificates of others, and makes none then', async () => {
    const rendered = await template({
      ...webhooks,
      webhooks: { policy: true, existingSecret: 'mine', caBundle: 'PEM' },
      egress: { names: { enabled: true, existingSecret: 'names' } },
    });
    expect(rendered).not.toContain('kind: Secret');
    expect(rendered.match(/caBundle: (\S+)/)?.[1]).toBe(Buffer.from('PEM').toString('base64'));
    expect(rendered.match(/secretName: (?:mine|names)\n/g)).toHaveLength(3);
  });

  it.each<[string, Values, string | null]>([
    ['all of them', webhooks, null],
    ['those of the webhooks', { ...webhooks, egress: { names: { enabled: true, existingSecret: 'names' } } }, 'webhook'],
    ['those of the names', { ...webhooks, webhooks: { policy: true, existingSecret: 'mine' } }, 'egress'],
    ['the only ones', { webhooks: { policy: true } }, null],
  ])('has Sluice make %s, and write to no folder that others fill', async (_name, values, which) => {
    const rendered = await template(values);
    expect(rendered.match(/--certificates=/g)).toHaveLength(1);
    expect(/--certificates-for=(\S+)/.exec(rendered)?.[1] ?? null).toBe(which);
  });

  it.each<[string, Values, readonly string[]]>([
    ['mounted', { policy: { mounted: 'mine' } }, ['--policy=/etc/sluice/policy']],
    [
      'all at a URL',
      { policy: { url: { address: 'https://policies.example/all.yaml', ttlSeconds: 30, tokenSecret: 'mine' } } },
      ['--policy-url=https://policies.example/all.yaml', '--policy-ttl=30', '--policy-token-file=/etc/sluice/policy-token/token'],
    ],
  ])('asks for no rights at the API server where the policy is %s', async (_name, values, flags) => {
    for (const shape of ['gateway', 'extension']) {
      const rendered = await template({ ...values, shape });
      for (const flag of flags) expect(rendered).toContain(flag);
      expect(rendered).not.toMatch(/kind: Role|api-access|--policy-configmaps/);
    }
  });

  it('puts what a URL says of a workspace on top of ConfigMaps', async () => {
    const rendered = await template({ policy: { url: { address: 'https://policies.example/{workspace}/{provider}' } } });
    for (const part of [
      '--policy-configmaps=llm',
      '--policy-url=https://policies.example/{workspace}/{provider}',
      'kind: Role\n',
      'api-access',
    ])
      expect(rendered).toContain(part);
  });

  it.each<[string, Values, boolean]>([
    ['beside an Envoy that goes on without it', {}, false],
    ['beside an Envoy that refuses without it', { policy: { failClosed: true } }, true],
    ['in pods of its own, which Envoys call', { shape: 'extension' }, true],
    ["in the app's pod", sidecar, false],
    ["in the app's pod, whose Envoy refuses without it", { ...sidecar, policy: { failClosed: true } }, true],
  ])('asks Sluice for readiness only where requests need it: %s', async (_name, values, asked) => {
    const objects = parseAllDocuments(await template(values)).map((document) => document.toJS() as Rendered);
    const put = objects.find(({ kind, data }) => kind === 'ConfigMap' && data?.['sidecar.yaml'] !== undefined)?.data?.['sidecar.yaml'];
    const containers = put === undefined ? podOf(objects) : (parse(put) as PodSpec);
    const sluice = [...(containers.initContainers ?? []), ...containers.containers].find(({ name }) => name === 'sluice')!;
    // Where requests need it, it has to answer again after each start; elsewhere once for the pod.
    const startup = asked
      ? { httpGet: { path: '/readyz' } }
      : { exec: { command: expect.arrayContaining(['/app/started.cjs']) as string[] } };
    expect(sluice).toMatchObject({ startupProbe: startup });
    expect(sluice.readinessProbe !== undefined).toBe(asked);
    // Elsewhere the supervisor looks after it: what the kubelet ends makes the pod unready, and a start that fails again and again would.
    expect(sluice.livenessProbe).toEqual(asked ? expect.objectContaining({ httpGet: { path: '/healthz', port: 'metrics' } }) : undefined);
    const envoy = [...(containers.initContainers ?? []), ...containers.containers].find(({ name }) => name === 'envoy');
    if (envoy !== undefined) expect(envoy.readinessProbe).toBeDefined();
  });

  it.each<[string, Values, readonly string[] | null]>([
    ['warns, where webhooks change pods', webhooks, ['egress', '--leave=warn', '--gateway=llm/rel-sluice']],
    [
      'refuses, where it is told to',
      { egress: { baseUrl: true, onUninstall: 'refuse' } },
      ['egress', '--leave=refuse', '--gateway=llm/rel-sluice'],
    ],
    ['knows gateways in the pods', sidecar, ['egress', '--leave=warn', '--sidecars']],
    ['is nothing where it is switched off', { egress: { baseUrl: true, onUninstall: 'ignore' } }, null],
    ['is nothing without webhooks for pods', { webhooks: { policy: true } }, null],
  ])('says before it goes which pods need it: %s', async (_name, values, args) => {
    const hooks = parseAllDocuments(await template(values))
      .map((document) => document.toJS() as Hook)
      .filter(({ metadata }) => metadata?.annotations?.['helm.sh/hook'] === 'pre-delete');
    if (args === null) return expect(hooks).toEqual([]);
    // What it needs is there before the job, and all goes with it.
    expect(hooks.map(({ kind, metadata }) => [kind, metadata!.annotations['helm.sh/hook-weight'] ?? '0'])).toEqual([
      ['ServiceAccount', '-1'],
      ['ClusterRole', '-1'],
      ['ClusterRoleBinding', '-1'],
      ['Job', '0'],
    ]);
    for (const { metadata } of hooks)
      expect(metadata!.annotations['helm.sh/hook-delete-policy']).toBe('before-hook-creation,hook-succeeded,hook-failed');
    expect(hooks.at(-1)!.spec!.template.spec.containers[0]!.args).toEqual(args);
  });

  it('refuses further CAs of nothing, or of two things', async () => {
    const of = (ca: object): Promise<string> => template({ egress: { names: { enabled: true, extraCas: [ca] } } });
    await expect(of({})).rejects.toThrow('each is a configMap or a secret');
    await expect(of({ configMap: 'a', secret: 'b' })).rejects.toThrow('each is a configMap or a secret');
  });

  it('gives no container more than it needs, and holds no secret', async () => {
    expect(await template(webhooks)).not.toMatch(/^data:\n {2}tls|LS0tLS1|PRIVATE KEY/m);
    for (const values of [everything, { ...everything, shape: 'extension' }]) {
      const objects = parseAllDocuments(await template(values)).map(
        (document) => document.toJS() as { kind?: string; spec?: { template?: { spec: PodSpec } } },
      );
      expect(objects.some(({ kind }) => kind === 'Secret')).toBe(false);
      const pod = objects.find(({ kind }) => kind === 'Deployment')!.spec!.template!.spec;
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
        expect(container).toMatchObject({
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
          resources: { requests: {}, limits: {} },
        });
        expect(container.livenessProbe !== undefined).toBe(container.name !== 'sluice' || values !== everything);
        expect(container.volumeMounts?.some(({ name }) => name === 'api-access')).toBe(container.name === 'sluice');
      }
    }
  });
});

interface Rule {
  readonly from?: readonly object[];
  readonly ports: readonly { readonly port: string }[];
}

interface Rendered {
  readonly kind?: string;
  readonly metadata?: object;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template?: { readonly spec: PodSpec } };
}

function podOf(objects: readonly Rendered[]): PodSpec {
  return objects.find(({ kind }) => kind === 'Deployment')!.spec!.template!.spec;
}

interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}

interface Container {
  readonly name: string;
  readonly startupProbe?: object;
  readonly readinessProbe?: object;
  readonly livenessProbe?: object;
  readonly volumeMounts?: readonly { readonly name: string }[];
}
