import { describe, expect, it } from 'vitest';
import type { AdmissionAnswer } from './admission.ts';
import { caVariables, injectBaseUrl, injectNames, type EgressOptions } from './egress.ts';
import { baseUrlVariables } from './pod-patch.ts';

const options: EgressOptions = { url: 'http://sluice.llm', names: { hosts: ['api.openai.com'], ca: 'PEM', image: 'sluice:1' } };

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
  readonly hostAliases?: { readonly ip: string; readonly hostnames: string[] }[];
}

/** Applies the patch as the API server does; every path must exist. */
function patched(spec: object, { patch = [] }: AdmissionAnswer): Pod {
  const object = structuredClone({ spec }) as Record<string, unknown>;
  for (const { path, value } of patch) {
    const keys = path.slice(1).split('/');
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

describe('the providers’ own names', () => {
  it('point at the gateway, whose CA every container trusts before it begins', () => {
    const spec = {
      initContainers: [{ name: 'init' }],
      containers: [{ name: 'app', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      hostAliases: [{ ip: '10.0.0.1', hostnames: ['db'] }],
    };
    const pod = patched(spec, injectNames(review(spec), options, '10.96.0.9'));
    expect(pod.hostAliases).toEqual([
      { ip: '10.0.0.1', hostnames: ['db'] },
      { ip: '10.96.0.9', hostnames: ['api.openai.com'] },
    ]);
    expect(pod.initContainers!.map(({ name }) => name)).toEqual(['sluice-egress-ca', 'init']);
    expect(pod.initContainers![0]!.env).toEqual([{ name: 'SLUICE_CA_PEM', value: 'PEM' }]);
    for (const container of [pod.initContainers![1]!, pod.containers[0]!]) {
      expect(container.env!.map(({ name, value }) => [name, value])).toEqual(
        caVariables.map((name) => [name, '/etc/sluice-egress/ca.pem']),
      );
      expect(container.volumeMounts).toContainEqual({ name: 'sluice-egress-ca', mountPath: '/etc/sluice-egress', readOnly: true });
    }
    expect(pod.volumes).toMatchObject([{ name: 'sluice-egress-ca' }]);
    expect(patched(pod, injectNames(review(pod), options, '10.96.0.9'))).toEqual(pod);
  });

  it('are left alone in a pod with CAs of its own, with a warning', () => {
    const spec = { containers: [{ name: 'app', env: [{ name: 'SSL_CERT_FILE', value: '/mine.pem' }] }] };
    expect(injectNames(review(spec), options, '10.96.0.9')).toEqual({
      allowed: true,
      warnings: [expect.stringContaining('app sets SSL_CERT_FILE') as string],
    });
  });

  it('change nothing of what is no pod', () => {
    expect(injectNames(review({ template: {} }), options, '10.96.0.9')).toEqual({ allowed: true });
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
  const pod = patched(spec, injectNames(review(spec), options, '10.0.0.7'));
  const { securityContext: made } = pod.initContainers![0] as { readonly securityContext?: Record<string, unknown> };
  expect([made?.['runAsNonRoot'], made?.['runAsUser']]).toEqual([true, user]);
});
