import { isIPv6 } from 'node:net';
import { DiscoveryV1Api, V1EndpointSlice, type KubeConfig } from '@kubernetes/client-node';
import { apiFailure, apiStatus } from './client.ts';

/** The pod that this process runs in. */
export interface OwnPod {
  readonly name: string;
  readonly uid: string;
  readonly addresses: readonly string[];
}

export interface SpareEndpointsOptions {
  readonly config: KubeConfig;
  readonly namespace: string;
  /** The Service that apps call. */
  readonly service: string;
  readonly pod: OwnPod;
  /** Ports of the Service by name, and where the pod's Envoy listens for them beside its usual port. */
  readonly ports: Readonly<Record<string, number>>;
  readonly onError: (failure: string) => void;
}

/** Pauses between attempts while the API server refuses or is away, in ms. */
const firstRetryMs = 1_000;
const longestRetryMs = 60_000;

/** The pod by the environment that the chart gives its container; null outside of it. */
export function ownPod(env: Readonly<Record<string, string | undefined>>): OwnPod | null {
  const { SLUICE_POD_NAME: name = '', SLUICE_POD_UID: uid = '', SLUICE_POD_IPS: ips = '' } = env;
  const addresses = ips.split(',').filter((address) => address !== '');
  return name === '' || uid === '' || addresses.length === 0 ? null : { name, uid, addresses };
}

/**
 * EndpointSlices of this pod that its Service uses only when it has no ready endpoint: kube-proxy then falls back to endpoints that are
 * terminating and still serve. They keep the pod's Envoy reachable while Kubernetes counts the pod as not ready, because Sluice's container
 * does not run. They belong to the pod, and Kubernetes deletes them with it. On a port of their own, because of two endpoints with the same
 * address and port kube-proxy keeps one, and not always the ready one.
 */
export function spareSlices({ namespace, service, pod, ports }: Omit<SpareEndpointsOptions, 'config' | 'onError'>): V1EndpointSlice[] {
  return pod.addresses.map((address) =>
    Object.assign(new V1EndpointSlice(), {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${pod.name}-spare${isIPv6(address) ? '-ipv6' : ''}`,
        namespace,
        labels: { 'kubernetes.io/service-name': service, 'endpointslice.kubernetes.io/managed-by': 'sluice.dev' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: pod.name, uid: pod.uid }],
      },
      addressType: isIPv6(address) ? 'IPv6' : 'IPv4',
      ports: Object.entries(ports).map(([name, port]) => ({ name, port, protocol: 'TCP' })),
      endpoints: [
        {
          addresses: [address],
          conditions: { ready: false, serving: true, terminating: true },
          targetRef: { kind: 'Pod', namespace, name: pod.name, uid: pod.uid },
        },
      ],
    }),
  );
}

/** Makes the slices, and tries again until they are there; a pod whose address has changed writes them again. Returns its end. */
export function keepSpareEndpoints(options: SpareEndpointsOptions): () => void {
  const api = options.config.makeApiClient(DiscoveryV1Api);
  const { namespace } = options;
  let retry: NodeJS.Timeout | null = null;
  let closed = false;
  const write = async (body: V1EndpointSlice): Promise<void> => {
    try {
      await api.createNamespacedEndpointSlice({ namespace, body });
    } catch (error) {
      if (apiStatus(error) !== 409) throw error;
      await api.replaceNamespacedEndpointSlice({ namespace, name: body.metadata!.name!, body });
    }
  };
  const attempt = (waitMs: number): void => {
    Promise.all(spareSlices(options).map(write)).catch((error: unknown) => {
      if (closed) return;
      // Reported once: the next attempts fail for the same reason, or succeed.
      if (waitMs === firstRetryMs) options.onError(apiFailure(error));
      retry = setTimeout(() => attempt(Math.min(longestRetryMs, 2 * waitMs)), waitMs).unref();
    });
  };
  attempt(firstRetryMs);
  return () => {
    closed = true;
    if (retry !== null) clearTimeout(retry);
  };
}
