import { CoreV1Api, type KubeConfig, type V1Service } from '@kubernetes/client-node';
import { SluiceError } from '../lib/errors.ts';
import { apiFailure, apiStatus } from './client.ts';
import { gatewayAnnotation, governedLabel, statusAnnotation } from './egress-mark.ts';

/** A pod that a webhook of Sluice saw when it was created. */
export interface EgressPod {
  readonly namespace: string;
  readonly name: string;
  /** `stale`: its calls go to a gateway that is not there any more. */
  readonly state: 'governed' | 'skipped' | 'stale';
  /** base-url, names or sidecar; null if it was skipped. */
  readonly mode: string | null;
  /** `namespace/service` of its gateway; null for a gateway in the pod itself. */
  readonly gateway: string | null;
  /** Why it is skipped or stale. */
  readonly why: string | null;
}

/** The parts of a pod and of a Service that count here. */
export interface SeenPod {
  readonly metadata?: {
    readonly namespace?: string;
    readonly name?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}
export interface SeenService {
  readonly spec?: {
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly ports?: readonly { readonly port: number }[];
  };
}

/** The port at which a gateway serves the providers' own names. */
const namesPort = 443;

/**
 * The pods of all namespaces, or of one, whose calls were led to Sluice or were to be. Needs the rights to list pods and to get the
 * gateways' Services. Rejects with SLUICE_KUBERNETES.
 */
export async function findEgressPods(config: KubeConfig, namespace: string | null): Promise<EgressPod[]> {
  const core = config.makeApiClient(CoreV1Api);
  try {
    const { items } =
      namespace === null
        ? await core.listPodForAllNamespaces({ labelSelector: governedLabel })
        : await core.listNamespacedPod({ namespace, labelSelector: governedLabel });
    const living = items.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
    const services = new Map<string, V1Service | null>();
    for (const gateway of new Set(living.flatMap((pod) => gatewayOf(pod)?.service ?? [])))
      services.set(gateway, await serviceAt(core, gateway));
    return living.map((pod) => egressPod(pod, services)).sort((a, b) => compare(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`));
  } catch (error) {
    throw new SluiceError('SLUICE_KUBERNETES', `pods cannot be listed: ${apiFailure(error)}`, { cause: error });
  }
}

/** The state of one pod; `services`: by `namespace/service`, null for one that is gone. */
export function egressPod(pod: SeenPod, services: ReadonlyMap<string, SeenService | null>): EgressPod {
  const { metadata } = pod;
  const [namespace, name] = [metadata?.namespace ?? '', metadata?.name ?? ''];
  const status = metadata?.annotations?.[statusAnnotation] ?? '';
  if (status.startsWith('skipped: '))
    return { namespace, name, state: 'skipped', mode: null, gateway: null, why: status.slice('skipped: '.length) };
  const mode = metadata?.labels?.[governedLabel] ?? null;
  const gateway = gatewayOf(pod);
  const why = gateway === null ? null : staleness(gateway, services.get(gateway.service) ?? null);
  return { namespace, name, state: why === null ? 'governed' : 'stale', mode, gateway: gateway?.service ?? null, why };
}

function staleness({ service, address }: Gateway, found: SeenService | null): string | null {
  if (found === null) return `Service ${service} is gone`;
  if (address === null) return null;
  const { clusterIP, clusterIPs = clusterIP === undefined ? [] : [clusterIP] } = found.spec ?? {};
  if (!address.split(',').every((each) => clusterIPs.includes(each)))
    return `Service ${service} has the address ${clusterIPs.join(',') || 'none'} now, the pod calls ${address}`;
  return (found.spec?.ports ?? []).some(({ port }) => port === namesPort)
    ? null
    : `Service ${service} serves the providers' names no more (port ${namesPort})`;
}

interface Gateway {
  readonly service: string;
  readonly address: string | null;
}

function gatewayOf(pod: SeenPod): Gateway | null {
  const [service, address] = (pod.metadata?.annotations?.[gatewayAnnotation] ?? '').split(' ');
  return service === undefined || service === '' ? null : { service, address: address ?? null };
}

async function serviceAt(core: CoreV1Api, gateway: string): Promise<V1Service | null> {
  const [namespace = '', name = ''] = gateway.split('/');
  try {
    return await core.readNamespacedService({ namespace, name });
  } catch (error) {
    if (apiStatus(error) === 404) return null;
    throw error;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
