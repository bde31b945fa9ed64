import { z } from 'zod';
import type { AdmissionAnswer, AdmissionRequest, PatchOperation } from './admission.ts';

export interface EgressOptions {
  /** Where pods call the gateway by plain HTTP, without a trailing slash. */
  readonly url: string;
  /** For calls under the providers' own names; null: not offered. */
  readonly names: {
    /** Host names that the gateway holds a certificate for. */
    readonly hosts: readonly string[];
    /** PEM of the CA of that certificate. */
    readonly ca: string;
    /** Image that has Sluice: it writes the bundle of CAs. */
    readonly image: string;
  } | null;
}

const containerSchema = z.looseObject({ name: z.string(), env: z.array(z.looseObject({ name: z.string() })).nullish(), volumeMounts: z.array(z.looseObject({})).nullish() });
const podSchema = z.looseObject({
  spec: z.looseObject({
    containers: z.array(containerSchema),
    initContainers: z.array(containerSchema).nullish(),
    volumes: z.array(z.looseObject({ name: z.string() })).nullish(),
    hostAliases: z.array(z.looseObject({})).nullish(),
  }),
});

type Container = z.infer<typeof containerSchema>;
type PodSpec = z.infer<typeof podSchema>['spec'];

const volumeName = 'sluice-egress-ca';
const bundleFolder = '/etc/sluice-egress';
const bundle = `${bundleFolder}/ca.pem`;

/** What official and common SDKs read their base URL from, and what is appended to the gateway's. */
export const baseUrlVariables: Readonly<Record<string, string>> = {
  OPENAI_BASE_URL: '/v1',
  OPENAI_API_BASE: '/v1',
  ANTHROPIC_BASE_URL: '',
  GOOGLE_GEMINI_BASE_URL: '',
};

/** What TLS libraries read their CAs from: Node adds to its own, the others take the file instead of theirs. */
export const caVariables: readonly string[] = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH', 'DENO_CERT'];

/** Sets the SDKs' base-URL variables in every container that does not set them itself. */
export function injectBaseUrl({ object }: AdmissionRequest, { url }: EgressOptions): AdmissionAnswer {
  const spec = readPod(object);
  if (spec === null) return { allowed: true };
  const patch = eachContainer(spec, (container) => missingEnv(container, Object.entries(baseUrlVariables).map(([name, suffix]) => [name, `${url}${suffix}`])));
  return { allowed: true, patch };
}

/**
 * Points the providers' own names at the gateway (`address`) and has every container trust its CA beside the public ones. A
 * pod with a CA bundle of its own is left alone: its calls would fail.
 */
export function injectNames({ object }: AdmissionRequest, { names }: EgressOptions, address: string): AdmissionAnswer {
  const spec = readPod(object);
  if (spec === null || names === null || spec.volumes?.some(({ name }) => name === volumeName) === true) return { allowed: true };
  const own = containersOf(spec).flatMap(([, container]) => (container.env ?? []).filter(({ name }) => caVariables.includes(name)).map(({ name }) => `${container.name} sets ${name}`));
  if (own.length > 0) return { allowed: true, warnings: [`Sluice leaves this pod's egress as it is: container ${own.join(', ')}. Without that variable its calls would go through the gateway.`] };
  const mount = { name: volumeName, mountPath: bundleFolder, readOnly: true };
  const patch = [
    ...append('/spec/hostAliases', spec.hostAliases, [{ ip: address, hostnames: names.hosts }]),
    ...append('/spec/volumes', spec.volumes, [{ name: volumeName, emptyDir: { sizeLimit: '4Mi' } }]),
    ...eachContainer(spec, (container) => missingEnv(container, caVariables.map((name) => [name, bundle])), mount),
    ...prepend('/spec/initContainers', spec.initContainers, bundleContainer(names)),
  ];
  return { allowed: true, patch };
}

/** Writes the bundle before any other container begins, the pod's own init containers among them. */
function bundleContainer({ image, ca }: NonNullable<EgressOptions['names']>): object {
  return {
    name: volumeName,
    image,
    command: ['/usr/local/bin/node', '/app/src/cli/index.ts', 'ca-bundle', '--out', bundle],
    env: [{ name: 'SLUICE_CA_PEM', value: ca }],
    volumeMounts: [{ name: volumeName, mountPath: bundleFolder }],
    resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    securityContext: { runAsNonRoot: true, runAsUser: 65532, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] }, seccompProfile: { type: 'RuntimeDefault' } },
  };
}

function readPod(object: unknown): PodSpec | null {
  const parsed = podSchema.safeParse(object);
  return parsed.success ? parsed.data.spec : null;
}

function containersOf(spec: PodSpec): (readonly [path: string, container: Container])[] {
  return (['initContainers', 'containers'] as const).flatMap((list) => (spec[list] ?? []).map((container, index) => [`/spec/${list}/${index}`, container] as const));
}

function eachContainer(spec: PodSpec, env: (container: Container) => readonly object[], mount?: object): PatchOperation[] {
  return containersOf(spec).flatMap(([path, container]) => [...append(`${path}/env`, container.env, env(container)), ...(mount === undefined ? [] : append(`${path}/volumeMounts`, container.volumeMounts, [mount]))]);
}

function missingEnv({ env }: Container, wanted: readonly (readonly [string, string])[]): object[] {
  const present = new Set((env ?? []).map(({ name }) => name));
  return wanted.filter(([name]) => !present.has(name)).map(([name, value]) => ({ name, value }));
}

/** A list that does not exist yet is made with its first entries. */
function append(path: string, existing: readonly unknown[] | null | undefined, values: readonly object[]): PatchOperation[] {
  if (values.length === 0) return [];
  if (existing === null || existing === undefined) return [{ op: 'add', path, value: values }];
  return values.map((value) => ({ op: 'add', path: `${path}/-`, value }));
}

function prepend(path: string, existing: readonly unknown[] | null | undefined, value: object): PatchOperation[] {
  return existing === null || existing === undefined ? [{ op: 'add', path, value: [value] }] : [{ op: 'add', path: `${path}/0`, value }];
}
