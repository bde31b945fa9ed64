import type { PolicyObject } from '../compose.ts';

/** A ConfigMap `namespace/name` with a policy. */
export function configMap(id: string, text: string, facts: Partial<PolicyObject> = {}): PolicyObject {
  const [namespace, name] = id.split('/') as [string, string];
  return {
    kind: 'ConfigMap',
    namespace,
    name,
    uid: id,
    resourceVersion: '1',
    generation: null,
    created: 0,
    data: { 'policy.yaml': text },
    ...facts,
  };
}
