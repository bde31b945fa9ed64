import { CoreV1Api, CustomObjectsApi, type KubeConfig, type KubernetesListObject, type KubernetesObject } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { apiStatus } from './client.ts';
import { policyKeys, type PolicyObject } from './compose.ts';

/** Where LLMPolicies are in the API server: the chart sluice-crds defines them. */
export const llmPolicies = { group: 'sluice.dev', version: 'v1alpha1', plural: 'llmpolicies' } as const;

/** The file that an LLMPolicy's `spec` is compiled as. */
const specFile = 'spec';

/** The used parts of an object, as a watch or an admission request has it. */
export interface ServedObject {
  readonly metadata?:
    | {
        readonly namespace?: string | undefined;
        readonly name?: string | undefined;
        readonly uid?: string | undefined;
        readonly resourceVersion?: string | undefined;
        readonly creationTimestamp?: Date | string | null | undefined;
        readonly generation?: number | undefined;
      }
    | undefined;
  readonly data?: Readonly<Record<string, string>> | null | undefined;
  readonly spec?: unknown;
  readonly status?: { readonly observedGeneration?: unknown; readonly version?: unknown } | null | undefined;
}

/** How objects of one kind are listed, watched and read. `namespace`: null for all. */
export interface PolicyKind {
  /** For messages. */
  readonly plural: string;
  readonly labelSelector: string | undefined;
  readonly path: (namespace: string | null) => string;
  readonly list: (namespace: string | null) => Promise<KubernetesListObject<KubernetesObject>>;
  readonly read: (object: KubernetesObject) => PolicyObject;
  /** Why its objects cannot be listed, where that has a better reason than the API server's; null if not. */
  readonly failure: (error: unknown) => string | null;
}

/** Labelled ConfigMaps. */
export function configMaps(config: KubeConfig, labelSelector: string): PolicyKind {
  const api = config.makeApiClient(CoreV1Api);
  return {
    plural: 'ConfigMaps',
    labelSelector,
    path: (namespace) => `/api/v1${inNamespace(namespace)}/configmaps`,
    list: (namespace) =>
      namespace === null ? api.listConfigMapForAllNamespaces({ labelSelector }) : api.listNamespacedConfigMap({ namespace, labelSelector }),
    read: readConfigMap,
    failure: () => null,
  };
}

/** LLMPolicies: each one counts, with or without a label. Before their definition is installed there are none. */
export function llmPolicyKind(config: KubeConfig): PolicyKind {
  const api = config.makeApiClient(CustomObjectsApi);
  const { group, version, plural } = llmPolicies;
  return {
    plural: 'LLMPolicies',
    labelSelector: undefined,
    path: (namespace) => `/apis/${group}/${version}${inNamespace(namespace)}/${plural}`,
    list: async (namespace) => {
      try {
        const listed: unknown = await (namespace === null
          ? api.listCustomObjectForAllNamespaces({ group, version, resourcePlural: plural })
          : api.listNamespacedCustomObject({ group, version, namespace, plural }));
        return listed as KubernetesListObject<KubernetesObject>;
      } catch (error) {
        // Nobody can have written one. The watch that follows fails for the same reason, says so, and is tried again.
        if (apiStatus(error) === 404) return { apiVersion: `${group}/${version}`, kind: 'LLMPolicyList', items: [] };
        throw error;
      }
    },
    read: readLlmPolicy,
    failure: (error) => (apiStatus(error) === 404 ? 'the API server does not know them. Install the chart sluice-crds.' : null),
  };
}

/** A ConfigMap as it is compiled. */
export function readConfigMap(object: ServedObject): PolicyObject {
  return { ...facts(object), kind: 'ConfigMap', generation: null, data: policyKeys(object.data) };
}

/** An LLMPolicy as it is compiled. Its `spec` is the policy itself, so it becomes one file, in the order of the API server's keys. */
export function readLlmPolicy(object: ServedObject): PolicyObject {
  const generation = object.metadata?.generation ?? null;
  return {
    ...facts(object),
    kind: 'LLMPolicy',
    generation,
    resourceVersion: specVersion(object, generation),
    data: { [specFile]: stringify(object.spec ?? {}, { aliasDuplicateObjects: false, lineWidth: 0 }) },
  };
}

/**
 * The resourceVersion with which this `spec` was first seen: writing the status makes a new resourceVersion, but no new policy. The status
 * holds it, so that replicas that start later name the same one.
 */
function specVersion({ metadata, status }: ServedObject, generation: number | null): string {
  const kept = generation !== null && status?.observedGeneration === generation ? status.version : undefined;
  return typeof kept === 'string' && /^\d{1,20}$/.test(kept) ? kept : (metadata?.resourceVersion ?? '');
}

function facts({ metadata }: ServedObject): Omit<PolicyObject, 'kind' | 'generation' | 'data'> {
  return {
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    created: new Date(metadata?.creationTimestamp ?? 0).getTime(),
  };
}

function inNamespace(namespace: string | null): string {
  return namespace === null ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
}
