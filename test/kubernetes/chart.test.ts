import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { valuesPage, valuesSchema, valuesYaml } from '../../src/kubernetes/chart/files.ts';
import { chart, helm, template, type Values } from './support/helm.ts';
import { missing } from './support/tools.ts';

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
  extraArgs: ['--catalog-interval=6'],
};

const webhooks: Values = {
  webhooks: { policy: true },
  egress: { baseUrl: true, names: { enabled: true } },
  networkPolicy: { enabled: true },
};

const sidecar: Values = {
  shape: 'sidecar',
  sidecar: { namespaces: ['shop'] },
  webhooks: { policy: true },
  networkPolicy: { enabled: true },
  monitoring: { podMonitor: true },
};

/** Certificates are new at each rendering. */
const withoutCertificates = (text: string): string => text.replace(/(ca\.crt|tls\.crt|tls\.key|caBundle): \S{40,}/g, '$1: (made)');

describe('the chart', () => {
  it('has values, schema and page as their tables make them', () => {
    expect(read('values.yaml')).toBe(valuesYaml());
    expect(read('values.schema.json')).toBe(valuesSchema());
    expect(readFileSync(new URL('../../docs/helm-values.md', import.meta.url), 'utf8')).toBe(valuesPage());
  });
});

describe.skipIf(absent !== '')(`the chart, by helm${absent}`, () => {
  it.each([
    ['gateway', {}],
    ['extension', { shape: 'extension' }],
    ['everything', everything],
    ['webhooks', webhooks],
    ['sidecar', sidecar],
  ])('renders %s as its golden file has it', async (name, values) => {
    await expect(withoutCertificates(await template(values))).toMatchFileSnapshot(`./golden/${name}.yaml`);
  });

  it.each([
    ['gateway', {}],
    ['extension', { shape: 'extension' }],
    ['everything', everything],
    ['webhooks', webhooks],
    ['sidecar', sidecar],
  ])('passes a strict lint: %s', async (_name, values) => {
    expect(await helm(['lint', chart, '--strict'], values)).toContain('0 chart(s) failed');
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
    ['a digest that is none', { image: { digest: 'latest' } }, /digest/],
    ['an inline policy that no simple selector finds', { policy: { inline: 'version: 1', selector: 'a in (b)' } }, /label=value/],
    ['egress without a gateway', { shape: 'extension', egress: { baseUrl: true } }, /shape: gateway/],
    ['sidecars for nobody', { shape: 'sidecar' }, /sidecar\.namespaces/],
    ['sidecars with Secrets of another namespace', { ...sidecar, credentials: [{ secret: 'openai' }] }, /shape: gateway/],
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
    expect(sluice).toMatchObject({ startupProbe: { httpGet: { path: '/readyz' } }, livenessProbe: { httpGet: { path: '/healthz' } } });
    expect(sluice.readinessProbe !== undefined).toBe(asked);
    const envoy = [...(containers.initContainers ?? []), ...containers.containers].find(({ name }) => name === 'envoy');
    if (envoy !== undefined) expect(envoy.readinessProbe).toBeDefined();
  });

  it('gives no container more than it needs, and holds no secret', async () => {
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
        expect(container.livenessProbe).toBeDefined();
        expect(container.volumeMounts?.some(({ name }) => name === 'api-access')).toBe(container.name === 'sluice');
      }
    }
  });
});

interface Rendered {
  readonly kind?: string;
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
