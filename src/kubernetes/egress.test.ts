import { describe, expect, it } from 'vitest';
import { egressText, leaveText } from '../cli/egress.ts';
import type { AdmissionAnswer } from './admission.ts';
import { caVariables, injectBaseUrl, injectNames, type EgressOptions } from './egress.ts';
import { egressPod, type EgressPod, type SeenPod, type SeenService } from './egress-pods.ts';
import { baseUrlVariables } from './pod-patch.ts';

const options: EgressOptions = {
  url: 'http://sluice.llm',
  names: { hosts: ['api.openai.com'], ca: 'PEM', image: 'sluice:1', pullSecrets: ['registry'] },
};

function review(spec: object): Parameters<typeof injectBaseUrl>[0] {
  return { uid: 'u', operation: 'CREATE', namespace: 'shop', object: { metadata: {}, spec } };
}

interface Pod {
  readonly initContainers?: {
    readonly name: string;
    readonly env?: { readonly name: string; readonly value: string }[];
    readonly volumeMounts?: object[];
  }[];
  readonly containers: {
    readonly name: string;
    readonly env?: { readonly name: string; readonly value: string }[];
    readonly volumeMounts?: object[];
  }[];
  readonly volumes?: { readonly name: string }[];
  readonly imagePullSecrets?: { readonly name: string }[];
  readonly hostAliases?: { readonly ip: string; readonly hostnames: string[] }[];
}

/** Applies the patch as the API server does; every path must exist. */
function patched(spec: object, { patch = [] }: AdmissionAnswer): Pod {
  const object = structuredClone({ metadata: {}, spec }) as Record<string, unknown>;
  for (const { path, value } of patch) {
    const keys = path
      .slice(1)
      .split('/')
      .map((key) => key.replaceAll('~1', '/'));
    const last = keys.pop()!;
    const parent = keys.reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], object);
    if (Array.isArray(parent)) parent.splice(last === '-' ? parent.length : Number(last), 0, structuredClone(value));
    else (parent as Record<string, unknown>)[last] = structuredClone(value);
  }
  return object['spec'] as Pod;
}

describe('base-URL variables', () => {
  it('are set in every container, and a container’s own stay', () => {
    const spec = {
      initContainers: [{ name: 'init' }],
      containers: [
        { name: 'app', env: [{ name: 'OPENAI_BASE_URL', value: 'mine' }] },
        { name: 'other', env: [] },
      ],
    };
    const pod = patched(spec, injectBaseUrl(review(spec), options));
    const env = (container: { env?: { name: string; value: string }[] }): object =>
      Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
    const all = {
      OPENAI_BASE_URL: 'http://sluice.llm/v1',
      OPENAI_API_BASE: 'http://sluice.llm/v1',
      ANTHROPIC_BASE_URL: 'http://sluice.llm',
      GOOGLE_GEMINI_BASE_URL: 'http://sluice.llm',
    };
    expect(Object.keys(all)).toEqual(Object.keys(baseUrlVariables));
    expect(env(pod.initContainers![0]!)).toEqual(all);
    expect(env(pod.containers[0]!)).toEqual({ ...all, OPENAI_BASE_URL: 'mine' });
    expect(env(pod.containers[1]!)).toEqual(all);
    expect(patched(pod, injectBaseUrl(review(pod), options))).toEqual(pod);
  });
});

describe('the mark on a pod', () => {
  const spec = { containers: [{ name: 'app' }] };

  it('says how it is governed and by which Service, beside its own labels, and is written once', () => {
    const object = { metadata: { labels: { app: 'shop' }, annotations: { team: 'a' } }, spec };
    const { patch, egress } = injectNames({ uid: 'u', operation: 'CREATE', namespace: 'shop', object }, options, ['10.96.0.9']);
    expect(egress).toEqual({ mode: 'names', result: 'governed' });
    expect(patch!.filter(({ path }) => path.startsWith('/metadata'))).toEqual([
      { op: 'add', path: '/metadata/labels/sluice.dev~1governed', value: 'names' },
      { op: 'add', path: '/metadata/annotations/sluice.dev~1egress-status', value: 'governed' },
      { op: 'add', path: '/metadata/annotations/sluice.dev~1egress-gateway', value: 'llm/sluice 10.96.0.9' },
    ]);
    const again = { metadata: { annotations: { 'sluice.dev/egress-status': 'governed' } }, spec };
    const second = injectBaseUrl({ uid: 'u', operation: 'CREATE', namespace: 'shop', object: again }, options);
    expect([second.egress, second.patch!.filter(({ path }) => path.startsWith('/metadata'))]).toEqual([undefined, []]);
  });

  it('says that a pod sets all base URLs itself', () => {
    const env = Object.keys(baseUrlVariables).map((name) => ({ name, value: 'mine' }));
    expect(injectBaseUrl(review({ containers: [{ name: 'app', env }] }), options).patch).toContainEqual({
      op: 'add',
      path: '/metadata/annotations',
      value: { 'sluice.dev/egress-status': 'skipped: every container sets its base URLs itself' },
    });
  });
});

describe('a pod that was marked', () => {
  const pod = (labels: Record<string, string>, annotations: Record<string, string>): SeenPod => ({
    metadata: { namespace: 'shop', name: 'app', labels, annotations },
  });
  const named = pod(
    { 'sluice.dev/governed': 'names' },
    { 'sluice.dev/egress-status': 'governed', 'sluice.dev/egress-gateway': 'llm/sluice 10.96.0.9' },
  );
  const at = (service: SeenService | null, of = named): unknown => {
    const { state, why } = egressPod(of, new Map([['llm/sluice', service]]));
    return [state, why];
  };

  it.each([
    [{ spec: { clusterIP: '10.96.0.9', ports: [{ port: 80 }, { port: 443 }] } }, ['governed', null]],
    [
      { spec: { clusterIP: '10.96.0.9', ports: [{ port: 80 }] } },
      ['stale', "Service llm/sluice serves the providers' names no more (port 443)"],
    ],
    [
      { spec: { clusterIP: '10.96.0.4', ports: [{ port: 443 }] } },
      ['stale', 'Service llm/sluice has the address 10.96.0.4 now, the pod calls 10.96.0.9'],
    ],
    [null, ['stale', 'Service llm/sluice is gone']],
  ])('is governed as long as its gateway is there: %j', (service, expected) => {
    expect(at(service)).toEqual(expected);
  });

  it('is listed with what is to be done', () => {
    const skipped = pod({ 'sluice.dev/governed': 'skipped' }, { 'sluice.dev/egress-status': 'skipped: container app sets SSL_CERT_FILE' });
    const own = pod({ 'sluice.dev/governed': 'sidecar' }, { 'sluice.dev/egress-status': 'governed' });
    const text = egressText([named, skipped, own].map((each) => egressPod(each, new Map([['llm/sluice', null]]))));
    expect(text).toMatch(/shop\/app +stale +names +llm\/sluice +Service llm\/sluice is gone\nshop\/app +skipped/);
    expect(text).toContain('3 pods: 1 stale, 1 skipped, 1 governed\n! stale pods call a gateway that is not there');
  });

  it('is named before the release goes, unless it was skipped', () => {
    const skipped = pod({ 'sluice.dev/governed': 'skipped' }, { 'sluice.dev/egress-status': 'skipped: container app sets SSL_CERT_FILE' });
    const there = new Map([['llm/sluice', { spec: { clusterIP: '10.96.0.9', ports: [{ port: 443 }] } }]]);
    const seen = (each: SeenPod): EgressPod => egressPod(each, there);
    expect(leaveText([seen(skipped)])).toBe('No running pod needs this release.\n');
    expect(leaveText([seen(named), seen(skipped)])).toMatch(
      /^This release is needed by 1 running pod\. .*:\n {2}shop\/app \(names\)\nTake/,
    );
    expect(leaveText(Array.from({ length: 22 }, () => seen(named)))).toContain('22 running pods');
    expect(leaveText(Array.from({ length: 22 }, () => seen(named)))).toContain('\n  and 2 more\n');
  });
});

const javaOptions = '-Djavax.net.ssl.trustStore=/etc/sluice-egress/ca.jks -Djavax.net.ssl.trustStoreType=JKS';

describe('the providers’ own names', () => {
  it('are trusted by a JVM with options of its own, which stay; not by one whose options cannot be added to', () => {
    const env = (variable: object): object => ({
      containers: [
        {
          name: 'app',
          env: [
            { name: 'A', value: '1' },
            { name: 'JAVA_TOOL_OPTIONS', ...variable },
          ],
        },
      ],
    });
    const of = (variable: object): AdmissionAnswer => injectNames(review(env(variable)), options, ['10.96.0.9']);
    expect(patched(env({ value: '-Xmx1g' }), of({ value: '-Xmx1g' })).containers[0]!.env![1]).toEqual({
      name: 'JAVA_TOOL_OPTIONS',
      value: `-Xmx1g ${javaOptions}`,
    });
    for (const own of [{ value: '-Djavax.net.ssl.trustStore=/mine.p12' }, { valueFrom: { configMapKeyRef: {} } }])
      expect(of(own).warnings).toEqual([expect.stringContaining('app sets JAVA_TOOL_OPTIONS')]);
  });

  it('point at both addresses of a gateway with two', () => {
    const spec = { containers: [{ name: 'app' }] };
    const answer = injectNames(review(spec), options, ['10.96.0.9', 'fd00::9']);
    expect(patched(spec, answer).hostAliases).toEqual([
      { ip: '10.96.0.9', hostnames: ['api.openai.com'] },
      { ip: 'fd00::9', hostnames: ['api.openai.com'] },
    ]);
    const annotations = answer.patch!.find(({ path }) => path === '/metadata/annotations')!.value as Record<string, string>;
    const state = (clusterIPs: readonly string[]): string =>
      egressPod(
        { metadata: { annotations, labels: { 'sluice.dev/governed': 'names' } } },
        new Map([['llm/sluice', { spec: { clusterIP: clusterIPs[0]!, clusterIPs, ports: [{ port: 443 }] } }]]),
      ).state;
    expect([state(['10.96.0.9', 'fd00::9']), state(['fd00::9', '10.96.0.9']), state(['10.96.0.9'])]).toEqual([
      'governed',
      'governed',
      'stale',
    ]);
  });

  it('come with credentials for the image, once', () => {
    const pull = (spec: object): object | undefined => patched(spec, injectNames(review(spec), options, ['10.96.0.9'])).imagePullSecrets;
    expect(pull({ containers: [{ name: 'app' }] })).toEqual([{ name: 'registry' }]);
    expect(pull({ containers: [{ name: 'app' }], imagePullSecrets: [{ name: 'mine' }] })).toEqual([{ name: 'mine' }, { name: 'registry' }]);
    expect(pull({ containers: [{ name: 'app' }], imagePullSecrets: [{ name: 'registry' }] })).toEqual([{ name: 'registry' }]);
  });

  it('point at the gateway, whose CA every container trusts before it begins', () => {
    const spec = {
      initContainers: [{ name: 'init' }],
      containers: [{ name: 'app', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      hostAliases: [{ ip: '10.0.0.1', hostnames: ['db'] }],
    };
    const pod = patched(spec, injectNames(review(spec), options, ['10.96.0.9']));
    expect(pod.hostAliases).toEqual([
      { ip: '10.0.0.1', hostnames: ['db'] },
      { ip: '10.96.0.9', hostnames: ['api.openai.com'] },
    ]);
    expect(pod.initContainers!.map(({ name }) => name)).toEqual(['sluice-egress-ca', 'init']);
    expect(pod.initContainers![0]!.env).toEqual([{ name: 'SLUICE_CA_PEM', value: 'PEM' }]);
    for (const container of [pod.initContainers![1]!, pod.containers[0]!]) {
      expect(container.env!.map(({ name, value }) => [name, value])).toEqual([
        ...caVariables.map((name) => [name, '/etc/sluice-egress/ca.pem']),
        ['SSL_CERT_DIR', '/etc/ssl/certs:/etc/pki/tls/certs'],
        ['JAVA_TOOL_OPTIONS', javaOptions],
      ]);
      expect(container.volumeMounts).toContainEqual({ name: 'sluice-egress-ca', mountPath: '/etc/sluice-egress', readOnly: true });
    }
    expect(pod.volumes).toMatchObject([{ name: 'sluice-egress-ca' }]);
    expect(patched(pod, injectNames(review(pod), options, ['10.96.0.9']))).toEqual(pod);
  });

  it('are left alone in a pod with CAs of its own, with a warning', () => {
    const spec = { containers: [{ name: 'app', env: [{ name: 'SSL_CERT_FILE', value: '/mine.pem' }] }] };
    expect(injectNames(review(spec), options, ['10.96.0.9'])).toEqual({
      allowed: true,
      warnings: [expect.stringContaining('app sets SSL_CERT_FILE') as string],
      egress: { mode: 'names', result: 'skipped' },
      patch: [
        { op: 'add', path: '/metadata/labels', value: { 'sluice.dev/governed': 'skipped' } },
        { op: 'add', path: '/metadata/annotations', value: { 'sluice.dev/egress-status': 'skipped: container app sets SSL_CERT_FILE' } },
      ],
    });
  });

  it('change nothing of what is no pod', () => {
    expect(injectNames(review({ template: {} }), options, ['10.96.0.9'])).toEqual({ allowed: true });
    expect(injectBaseUrl({ uid: 'u', operation: 'DELETE', namespace: '', object: null }, options)).toEqual({ allowed: true });
  });
});

it.each([
  [undefined, undefined],
  [{}, undefined],
  [{ runAsUser: 1_000_650_000 }, undefined],
  [{ runAsUser: 0 }, 65_532],
])('the bundle is written by the user that the pod has, and never by root: %j', (securityContext, user) => {
  const spec = { ...(securityContext === undefined ? {} : { securityContext }), containers: [{ name: 'app' }] };
  const pod = patched(spec, injectNames(review(spec), options, ['10.0.0.7']));
  const { securityContext: made } = pod.initContainers![0] as { readonly securityContext?: Record<string, unknown> };
  expect([made?.['runAsNonRoot'], made?.['runAsUser']]).toEqual([true, user]);
});
