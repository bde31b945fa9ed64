import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import type { AdmissionAnswer, AdmissionRequest, PatchOperation } from './admission.ts';
import { withMark } from './egress-mark.ts';
import { append, baseUrlPatch, containersOf, prependAll, pullSecretsPatch, readPod, type PodSpec } from './pod-patch.ts';

const probeSchema = z.looseObject({
  httpGet: z.looseObject({ port: z.union([z.string(), z.number()]) }).optional(),
  tcpSocket: z.looseObject({ port: z.union([z.string(), z.number()]) }).optional(),
});
/** A variable may be a figure of another container of the pod, such as its limit of memory. */
const variableSchema = z.looseObject({
  valueFrom: z.looseObject({ resourceFieldRef: z.looseObject({ containerName: z.string().optional() }).optional() }).optional(),
});
const containerSchema = z.looseObject({
  name: z.string(),
  ports: z.array(z.looseObject({ name: z.string(), containerPort: z.number() })).default([]),
  startupProbe: probeSchema.optional(),
  readinessProbe: probeSchema.optional(),
  livenessProbe: probeSchema.optional(),
  volumeMounts: z.array(z.looseObject({ name: z.string() })).default([]),
  env: z.array(variableSchema).default([]),
});

/** Names of the template's two containers in a pod; the first is Sluice's in its own pods too. */
export const sluiceContainer = 'sluice';
export const containersOfSidecar: readonly string[] = [sluiceContainer, 'sluice-envoy'];

/** What the chart's template adds to a pod: the gateway's two containers, their volumes, and the URL for the app. */
const templateSchema = z.strictObject({
  url: z.url(),
  containers: z.array(containerSchema).min(1),
  volumes: z.array(z.looseObject({ name: z.string() })),
  /** Secrets of the pod's namespace with credentials for the images' registry. */
  imagePullSecrets: z.array(z.string()).default([]),
  /** Ports of the pod that the containers use beside those that they declare. */
  otherPorts: z.array(z.number()).default([]),
});

export type SidecarTemplate = z.infer<typeof templateSchema>;

/** Reads the template each time, because its mounted ConfigMap may change. Rejects if it is invalid. */
export async function readSidecarTemplate(file: string): Promise<SidecarTemplate> {
  return templateSchema.parse(parse(await readFile(file, 'utf8')));
}

/**
 * Adds Envoy and Sluice to a pod, started before and stopped after all its other containers, and makes the SDKs call them. A pod that
 * already has them is not changed, and neither is one whose containers use their ports: it would not start. Names get a prefix, so that they
 * do not collide with the pod's.
 */
export function injectSidecar({ object }: AdmissionRequest, template: SidecarTemplate): AdmissionAnswer {
  const spec = readPod(object);
  if (spec === null) return { allowed: true };
  const containers = template.containers.map(prefixed);
  if (spec.initContainers?.some(({ name }) => containers.some((own) => own.name === name)) === true) return { allowed: true };
  const clash = clashOf(spec, template);
  if (clash !== null) {
    const warning = `Sluice leaves this pod's egress as it is: ${clash}, which the gateway in the pod uses. Choose other ports in the chart's values (envoy.port, envoy.statusPort, ports) or in the pod.`;
    return withMark(object, { allowed: true, warnings: [warning] }, { mode: 'sidecar', skipped: clash, gateway: null });
  }
  const patch: PatchOperation[] = [
    ...append(
      '/spec/volumes',
      spec.volumes,
      template.volumes.map((volume) => ({ ...volume, name: withPrefix(volume.name) })),
    ),
    ...baseUrlPatch(spec, template.url),
    ...pullSecretsPatch(spec, template.imagePullSecrets),
    ...prependAll('/spec/initContainers', spec.initContainers, containers),
  ];
  return withMark(object, { allowed: true, patch }, { mode: 'sidecar', skipped: null, gateway: null });
}

/** The first container that declares a port of the gateway's; null if none does. */
function clashOf(spec: PodSpec, { containers, otherPorts }: SidecarTemplate): string | null {
  const taken = new Set([...containers.flatMap(({ ports }) => ports.map(({ containerPort }) => containerPort)), ...otherPorts]);
  for (const [, { name, ports }] of containersOf(spec)) {
    const port = ports?.find(({ containerPort }) => taken.has(containerPort));
    if (port !== undefined) return `container ${name} uses port ${port.containerPort}`;
  }
  return null;
}

const withPrefix = (name: string): string => (name.startsWith('sluice') ? name : `sluice-${name}`);

function prefixed(container: SidecarTemplate['containers'][number]): SidecarTemplate['containers'][number] {
  const probes = (['startupProbe', 'readinessProbe', 'livenessProbe'] as const).flatMap((kind) => {
    const probe = container[kind];
    return probe === undefined ? [] : [[kind, { ...probe, ...portOf(probe, 'httpGet'), ...portOf(probe, 'tcpSocket') }] as const];
  });
  return {
    ...container,
    ...Object.fromEntries(probes),
    name: withPrefix(container.name),
    ports: container.ports.map((port) => ({ ...port, name: withPrefix(port.name) })),
    volumeMounts: container.volumeMounts.map((mount) => ({ ...mount, name: withPrefix(mount.name) })),
    env: container.env.map(ofPrefixed),
  };
}

function ofPrefixed(variable: z.infer<typeof variableSchema>): z.infer<typeof variableSchema> {
  const figure = variable.valueFrom?.resourceFieldRef;
  if (figure?.containerName === undefined) return variable;
  return {
    ...variable,
    valueFrom: { ...variable.valueFrom, resourceFieldRef: { ...figure, containerName: withPrefix(figure.containerName) } },
  };
}

function portOf(probe: z.infer<typeof probeSchema>, kind: 'httpGet' | 'tcpSocket'): object {
  const action = probe[kind];
  return action === undefined
    ? {}
    : { [kind]: { ...action, port: typeof action.port === 'string' ? withPrefix(action.port) : action.port } };
}
