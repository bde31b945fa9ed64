import type { AdmissionAnswer, AdmissionRequest, PatchOperation } from './admission.ts';
import { serviceOf, withMark } from './egress-mark.ts';
import {
  append,
  baseUrlPatch,
  containersOf,
  eachContainer,
  missingEnv,
  prependAll,
  pullSecretsPatch,
  readPod,
  type Container,
  type PodSpec,
} from './pod-patch.ts';

export interface EgressOptions {
  /** URL at which pods call the gateway in plain HTTP, without a trailing slash. */
  readonly url: string;
  /** For calls under the providers' own names; null to disable. */
  readonly names: {
    /** Host names in the gateway's certificate. */
    readonly hosts: readonly string[];
    /** PEM of the CA of that certificate. */
    readonly ca: string;
    /** Image with Sluice, for the container that writes the CA bundle. */
    readonly image: string;
    /** Secrets of the pod's namespace with credentials for the image's registry. */
    readonly pullSecrets: readonly string[];
  } | null;
}

const volumeName = 'sluice-egress-ca';
const bundleFolder = '/etc/sluice-egress';
const bundle = `${bundleFolder}/ca.pem`;
/**
 * Where images keep CAs, by the hash of their name or in files: what reads this beside `SSL_CERT_FILE` goes on trusting the image's own.
 * Debian, Ubuntu and Alpine; Red Hat.
 */
const imageFolders = '/etc/ssl/certs:/etc/pki/tls/certs';
const javaVariable = 'JAVA_TOOL_OPTIONS';
const javaTrust = '-Djavax.net.ssl.trustStore';
/** What a JVM is started with, to read the CAs that others read in `bundle`. */
const javaOptions = `${javaTrust}=${bundleFolder}/ca.jks ${javaTrust}Type=JKS`;

/** Variables from which TLS libraries read CAs: Node adds them to its own, the others replace theirs. */
export const caVariables: readonly string[] = [
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'DENO_CERT',
];

/** Sets the SDKs' base-URL variables in every container that does not set them itself. */
export function injectBaseUrl({ object }: AdmissionRequest, { url }: EgressOptions): AdmissionAnswer {
  const spec = readPod(object);
  if (spec === null) return { allowed: true };
  const patch = baseUrlPatch(spec, url);
  const skipped = patch.length > 0 ? null : 'every container sets its base URLs itself';
  return withMark(object, { allowed: true, patch }, { mode: 'base-url', skipped, gateway: serviceOf(new URL(url).hostname) });
}

/**
 * Resolves the providers' own names to the gateway (`addresses`, one or one of each family) and makes every container trust its CA in addition to public ones. A pod
 * with its own CA bundle is not changed: its calls would fail.
 */
export function injectNames({ object }: AdmissionRequest, { names, url }: EgressOptions, addresses: readonly string[]): AdmissionAnswer {
  const spec = readPod(object);
  if (spec === null || names === null || spec.volumes?.some(({ name }) => name === volumeName) === true) return { allowed: true };
  const own = containersOf(spec).flatMap(([, container]) =>
    (container.env ?? []).filter(hasOwnTrust).map(({ name }) => `${container.name} sets ${name}`),
  );
  const gateway = `${serviceOf(new URL(url).hostname)} ${addresses.join(',')}`;
  if (own.length > 0)
    return withMark(
      object,
      {
        allowed: true,
        warnings: [
          `Sluice leaves this pod's egress as it is: container ${own.join(', ')}. Without that variable its calls would go through the gateway.`,
        ],
      },
      { mode: 'names', skipped: `container ${own.join(', ')}`, gateway },
    );
  const mount = { name: volumeName, mountPath: bundleFolder, readOnly: true };
  const patch = [
    ...append(
      '/spec/hostAliases',
      spec.hostAliases,
      addresses.map((ip) => ({ ip, hostnames: names.hosts })),
    ),
    ...append('/spec/volumes', spec.volumes, [{ name: volumeName, emptyDir: { sizeLimit: '4Mi' } }]),
    ...eachContainer(
      spec,
      (container) =>
        missingEnv(container, [
          ...caVariables.map((name) => [name, bundle] as const),
          ['SSL_CERT_DIR', imageFolders],
          [javaVariable, javaOptions],
        ]),
      mount,
    ),
    ...containersOf(spec).flatMap(([path, container]) => withJavaTrust(path, container)),
    ...pullSecretsPatch(spec, names.pullSecrets),
    ...prependAll('/spec/initContainers', spec.initContainers, [bundleContainer(names, spec)]),
  ];
  return withMark(object, { allowed: true, patch }, { mode: 'names', skipped: null, gateway });
}

/** Whether a variable of a container decides which CAs are trusted, in a way that nothing can be added to. */
function hasOwnTrust({ name, value }: Variable): boolean {
  if (caVariables.includes(name)) return true;
  return name === javaVariable && (typeof value !== 'string' || value.includes(javaTrust));
}

type Variable = NonNullable<Container['env']>[number];

/** Adds to the JVM's options that a container has itself. */
function withJavaTrust(path: string, { env }: Container): PatchOperation[] {
  const at = env?.findIndex(({ name }) => name === javaVariable) ?? -1;
  const value = env?.[at]?.value;
  return typeof value === 'string' ? [{ op: 'add', path: `${path}/env/${at}/value`, value: `${value} ${javaOptions}` }] : [];
}

/**
 * Writes the bundle before any other container starts, including the pod's own init containers. It runs as the image's user, or the one set
 * by the pod or its namespace; in a pod that runs as root the container must set its own user, or it would not start.
 */
function bundleContainer({ image, ca }: NonNullable<EgressOptions['names']>, spec: PodSpec): object {
  return {
    name: volumeName,
    image,
    command: ['/usr/local/bin/node', '/app/sluice.cjs', 'ca-bundle', '--out', bundle, '--java', `${bundleFolder}/ca.jks`],
    env: [{ name: 'SLUICE_CA_PEM', value: ca }],
    volumeMounts: [{ name: volumeName, mountPath: bundleFolder }],
    resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    securityContext: {
      runAsNonRoot: true,
      ...(spec.securityContext?.runAsUser === 0 ? { runAsUser: 65_532 } : {}),
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}
