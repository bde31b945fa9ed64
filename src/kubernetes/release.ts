import { AppsV1Api, CoreV1Api, type KubeConfig, type V1Container, type V1Pod } from '@kubernetes/client-node';
import { SluiceError } from '../lib/errors.ts';
import type { Ask } from '../status/replica.ts';
import type { Sidecars } from '../status/sidecars.ts';
import { apiFailure, apiStatus } from './client.ts';
import { governedLabel } from './egress-mark.ts';
import { containersOfSidecar, sluiceContainer } from './sidecar.ts';

/** A pod of a release, and how to reach its admin server through the API server. */
interface ReleasePod {
  readonly name: string;
  readonly ready: boolean;
  readonly ask: Ask;
}

export interface Release {
  readonly namespace: string;
  /** Replicas of its Deployment or StatefulSet; null if it has none, or they may not be read. */
  readonly wanted: number | null;
  readonly pods: readonly ReleasePod[];
  /** The gateways in apps' pods, if the release provides them; else null. */
  readonly sidecars: Sidecars | null;
}

const adminPort = 9901;

/**
 * Finds Sluice's pods in a namespace, all or those of one helm release. Needs the rights to list pods and to get pods/proxy. Rejects with
 * SLUICE_KUBERNETES.
 */
export async function findRelease(config: KubeConfig, namespace: string, release: string | null): Promise<Release> {
  const labelSelector = `app.kubernetes.io/name=sluice${release === null ? '' : `,app.kubernetes.io/instance=${release}`}`;
  const core = config.makeApiClient(CoreV1Api);
  try {
    const { items } = await core.listNamespacedPod({ namespace, labelSelector });
    const living = items.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
    return {
      namespace,
      wanted: await wantedReplicas(config, namespace, labelSelector),
      sidecars: living.some(providesSidecars) ? await sidecarsOf(core, living) : null,
      pods: living
        .map((pod) => ({ name: pod.metadata?.name ?? '', ready: isReady(pod), ask: (path: string) => askPod(core, pod, path) }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    };
  } catch (error) {
    throw new SluiceError('SLUICE_KUBERNETES', `pods of ${namespace} cannot be listed: ${apiFailure(error)}`, { cause: error });
  }
}

/** Optional: users who may not read Deployments and StatefulSets still see the pods. */
async function wantedReplicas(config: KubeConfig, namespace: string, labelSelector: string): Promise<number | null> {
  const apps = config.makeApiClient(AppsV1Api);
  const sums = await Promise.all([
    apps.listNamespacedDeployment({ namespace, labelSelector }).then(({ items }) => sumOf(items), unreadable),
    apps.listNamespacedStatefulSet({ namespace, labelSelector }).then(({ items }) => sumOf(items), unreadable),
  ]);
  const known = sums.filter((sum) => sum !== null);
  return known.length === 0 ? null : known.reduce((total, sum) => total + sum, 0);
}

const unreadable = (): null => null;

const allContainers = ({ spec }: V1Pod): V1Container[] => [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
const imageOf = (pod: V1Pod): string | undefined => allContainers(pod).find(({ name }) => name === sluiceContainer)?.image;
const providesSidecars = (pod: V1Pod): boolean =>
  allContainers(pod).some(({ args }) => args?.some((arg) => arg.startsWith('--sidecar-template')));

/** Sidecars of all namespaces, beside the release's own pods. */
async function sidecarsOf(core: CoreV1Api, own: readonly V1Pod[]): Promise<Sidecars> {
  try {
    const { items } = await core.listPodForAllNamespaces({ labelSelector: `${governedLabel}=sidecar` });
    const living = items.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
    const images = new Set(own.map(imageOf));
    const isUp = ({ status }: V1Pod): boolean =>
      containersOfSidecar.every((name) => status?.initContainerStatuses?.some((each) => each.name === name && each.ready));
    return {
      state: 'listed',
      pods: living.length,
      ready: living.filter(isUp).length,
      namespaces: new Set(living.map(({ metadata }) => metadata?.namespace)).size,
      otherImage: living.filter((pod) => !images.has(imageOf(pod))).length,
    };
  } catch (error) {
    if (apiStatus(error) !== 403) throw error;
    return { state: 'unknown', why: apiFailure(error) };
  }
}

function sumOf(items: readonly { readonly spec?: { readonly replicas?: number } }[]): number | null {
  return items.length === 0 ? null : items.reduce((sum, { spec }) => sum + (spec?.replicas ?? 1), 0);
}

function isReady({ status }: V1Pod): boolean {
  return status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') ?? false;
}

async function askPod(core: CoreV1Api, pod: V1Pod, path: string): Promise<string> {
  // A native sidecar is listed among the init containers.
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const port = containers.flatMap(({ ports }) => ports ?? []).find(({ name }) => name === 'admin')?.containerPort ?? adminPort;
  try {
    const answer: unknown = await core.connectGetNamespacedPodProxyWithPath({
      name: `${pod.metadata?.name ?? ''}:${port}`,
      namespace: pod.metadata?.namespace ?? '',
      path: path.slice(1),
    });
    // The client has already parsed JSON responses.
    return typeof answer === 'string' ? answer : JSON.stringify(answer);
  } catch (error) {
    throw new Error(apiFailure(error), { cause: error });
  }
}
