import { z } from 'zod';
import type { Soon } from '../policy/compiler.ts';
import { renderProblems } from '../policy/store.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import type { AdmissionAnswer, AdmissionRequest } from './admission.ts';
import { configMapId, policyKeys, type PolicyConfigMap } from './compose.ts';
import type { ConfigMapPolicyStore, PolicyPreview, RemovalPreview } from './policy-store.ts';

const texts = z.record(z.string(), z.string()).nullish();
const configMapSchema = z.looseObject({
  metadata: z
    .looseObject({
      name: z.string().optional(),
      namespace: z.string().optional(),
      uid: z.string().optional(),
      resourceVersion: z.string().optional(),
      creationTimestamp: z.string().nullish(),
      labels: texts,
      annotations: texts,
    })
    .optional(),
  data: texts,
});
type ConfigMap = z.infer<typeof configMapSchema>;

export interface PolicyChecks {
  readonly policies: Pick<ConfigMapPolicyStore, 'selects' | 'leaves'> & {
    readonly preview: (configMap: PolicyConfigMap) => Soon<PolicyPreview>;
    readonly previewRemoval: (configMap: PolicyConfigMap) => Soon<RemovalPreview>;
  };
  /** How a policy would have changed recent requests, as lines of text. */
  readonly effect: (after: PolicySnapshot) => Promise<readonly string[]>;
  /** Key files used by a policy that hold no key in this pod. */
  readonly missingKeys: (policy: PolicySnapshot) => Promise<readonly string[]>;
}

/** Annotation with the value `true`: the ConfigMap may be removed although it is the last policy. */
const allowed = 'sluice.dev/allow-no-policy';

/** It empties a namespace that is being deleted; a refusal would block that deletion for ever. */
const namespaceController = 'system:serviceaccount:kube-system:namespace-controller';

const noPolicy = 'without a policy every request passes as its app sent it: no routing, budgets, rate limits or blocks';

/**
 * Refuses a ConfigMap that would not take effect together with the existing ones, with the messages of `sluice validate`, and the removal
 * of the last policy; otherwise reports what the edit or the removal (a deletion, or a removed label) would change.
 */
export async function validatePolicy(request: AdmissionRequest, checks: PolicyChecks): Promise<AdmissionAnswer> {
  const old = read(request.oldObject);
  if (request.operation === 'DELETE') return old === null ? { allowed: true } : removal(request, old, null, checks);
  const now = read(request.object);
  if (now === null) return { allowed: true };
  if (!checks.policies.selects(now.metadata?.labels ?? {})) return old === null ? { allowed: true } : removal(request, old, now, checks);
  const configMap = policyOf(now, request.namespace);
  const { accepted, problems, generation } = await checks.policies.preview(configMap);
  // The user typed the name, so only the key is shown.
  const lines = renderProblems(problems)
    .replaceAll(`${configMapId(configMap)}#`, '')
    .split('\n')
    .filter((line) => line !== '');
  if (!accepted) return { allowed: false, message: `Sluice refuses this policy:\n${lines.join('\n')}` };
  if (generation === null) return { allowed: true, warnings: lines };
  return {
    allowed: true,
    warnings: [...lines, ...(await missingKeys(configMap, generation, checks)), ...(await checks.effect(generation))],
  };
}

/** Key files named by this ConfigMap; those of others were reported when they were applied. */
async function missingKeys(configMap: PolicyConfigMap, generation: PolicySnapshot, checks: PolicyChecks): Promise<readonly string[]> {
  const texts = Object.values(configMap.data);
  return (await checks.missingKeys(generation))
    .filter((file) => texts.some((text) => text.includes(file)))
    .map(
      (file) =>
        `credentialFile ${file} holds no key in Sluice's pod: its requests go without one. Mount its Secret (credentials in the chart).`,
    );
}

/** `now`: the ConfigMap without its label; null if it is deleted. */
async function removal(
  request: AdmissionRequest,
  old: ConfigMap,
  now: ConfigMap | null,
  { policies, effect }: PolicyChecks,
): Promise<AdmissionAnswer> {
  const configMap = policyOf(old, request.namespace);
  const { generation, problems, changes, endsPolicy } = await policies.previewRemoval(configMap);
  if (!changes) return { allowed: true };
  if (generation === null)
    return {
      allowed: true,
      warnings: [
        'others need this policy: it stays in force until they are corrected',
        ...renderProblems(problems)
          .split('\n')
          .filter((line) => line !== ''),
      ],
    };
  const lines = await effect(generation);
  const answer: AdmissionAnswer = endsPolicy ? lastRemoval(request, configMap, [old, now], lines) : { allowed: true, warnings: lines };
  if (answer.allowed && request.dryRun !== true) policies.leaves(configMap);
  return answer;
}

function lastRemoval(
  { userInfo }: AdmissionRequest,
  { name, namespace }: PolicyConfigMap,
  versions: readonly (ConfigMap | null)[],
  effect: readonly string[],
): AdmissionAnswer {
  const may =
    userInfo?.username === namespaceController || versions.some((version) => version?.metadata?.annotations?.[allowed] === 'true');
  if (may) return { allowed: true, warnings: [`this removes the last policy: ${noPolicy}`, ...effect] };
  return {
    allowed: false,
    message: [
      `Sluice refuses to remove the last policy: ${noPolicy}.`,
      ...effect,
      `To allow it: kubectl annotate configmap ${name} --namespace ${namespace} ${allowed}=true`,
    ].join('\n'),
  };
}

function read(object: unknown): ConfigMap | null {
  const parsed = configMapSchema.safeParse(object);
  return parsed.success ? parsed.data : null;
}

function policyOf({ metadata, data }: ConfigMap, namespace: string): PolicyConfigMap {
  const created = metadata?.creationTimestamp ?? null;
  return {
    name: metadata?.name ?? '',
    namespace: metadata?.namespace ?? namespace,
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    created: created === null ? Date.now() : Date.parse(created),
    data: policyKeys(data),
  };
}
