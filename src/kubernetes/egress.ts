import type { AdmissionAnswer, AdmissionRequest } from './admission.ts';
import { append, baseUrlPatch, containersOf, eachContainer, missingEnv, prependAll, readPod, type PodSpec } from './pod-patch.ts';

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

const volumeName = 'sluice-egress-ca';
const bundleFolder = '/etc/sluice-egress';
const bundle = `${bundleFolder}/ca.pem`;

/** What TLS libraries read their CAs from: Node adds to its own, the others take the file instead of theirs. */
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
  return { allowed: true, patch: baseUrlPatch(spec, url) };
}

/**
 * Points the providers' own names at the gateway (`address`) and has every container trust its CA beside the public ones. A
 * pod with a CA bundle of its own is left alone: its calls would fail.
 */
export function injectNames({ object }: AdmissionRequest, { names }: EgressOptions, address: string): AdmissionAnswer {
  const spec = readPod(object);
  if (spec === null || names === null || spec.volumes?.some(({ name }) => name === volumeName) === true) return { allowed: true };
  const own = containersOf(spec).flatMap(([, container]) =>
    (container.env ?? []).filter(({ name }) => caVariables.includes(name)).map(({ name }) => `${container.name} sets ${name}`),
  );
  if (own.length > 0)
    return {
      allowed: true,
      warnings: [
        `Sluice leaves this pod's egress as it is: container ${own.join(', ')}. Without that variable its calls would go through the gateway.`,
      ],
    };
  const mount = { name: volumeName, mountPath: bundleFolder, readOnly: true };
  const patch = [
    ...append('/spec/hostAliases', spec.hostAliases, [{ ip: address, hostnames: names.hosts }]),
    ...append('/spec/volumes', spec.volumes, [{ name: volumeName, emptyDir: { sizeLimit: '4Mi' } }]),
    ...eachContainer(
      spec,
      (container) =>
        missingEnv(
          container,
          caVariables.map((name) => [name, bundle]),
        ),
      mount,
    ),
    ...prependAll('/spec/initContainers', spec.initContainers, [bundleContainer(names, spec)]),
  ];
  return { allowed: true, patch };
}

/**
 * Writes the bundle before any other container begins, the pod's own init containers among them. Its user is the image's, or the one that
 * the pod or its namespace sets; in a pod that runs as root it must be named, or the container would not start.
 */
function bundleContainer({ image, ca }: NonNullable<EgressOptions['names']>, spec: PodSpec): object {
  return {
    name: volumeName,
    image,
    command: ['/usr/local/bin/node', '/app/sluice.cjs', 'ca-bundle', '--out', bundle],
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
