import { z } from 'zod';
import type { Soon } from '../policy/compiler.ts';
import type { PolicySnapshot, Problem } from '../policy/types.ts';
import type { AdmissionAnswer, AdmissionRequest } from './admission.ts';
import type { PolicyObject } from './compose.ts';
import { readConfigMap, readLlmPolicy } from './policy-kinds.ts';
import type { KubernetesPolicyStore, PolicyPreview, RemovalPreview } from './policy-store.ts';
import { renderObjectProblems } from './problems.ts';

const texts = z.record(z.string(), z.string()).nullish();
const objectSchema = z.looseObject({
  kind: z.string().optional(),
  metadata: z
    .looseObject({
      name: z.string().optional(),
      namespace: z.string().optional(),
      uid: z.string().optional(),
      resourceVersion: z.string().optional(),
      creationTimestamp: z.string().nullish(),
      generation: z.number().optional(),
      labels: texts,
      annotations: texts,
    })
    .optional(),
  data: texts,
  spec: z.unknown().optional(),
  status: z.looseObject({}).nullish(),
});
type Written = z.infer<typeof objectSchema>;

export interface PolicyChecks {
  readonly policies: Pick<KubernetesPolicyStore, 'selects' | 'leaves'> & {
    readonly preview: (written: PolicyObject) => Soon<PolicyPreview>;
    readonly previewRemoval: (written: PolicyObject) => Soon<RemovalPreview>;
  };
  /** How a policy would have changed recent requests, as lines of text. */
  readonly effect: (after: PolicySnapshot) => Promise<readonly string[]>;
  /** Key files used by a policy that hold no key in this pod. */
  readonly missingKeys: (policy: PolicySnapshot) => Promise<readonly string[]>;
}

/** Annotation with the value `true`: the object may be removed although it is the last policy. */
const allowed = 'sluice.dev/allow-no-policy';

/** It empties a namespace that is being deleted; a refusal would block that deletion for ever. */
const namespaceController = 'system:serviceaccount:kube-system:namespace-controller';

const noPolicy = 'without a policy every request passes as its app sent it: no routing, budgets, rate limits or blocks';

/**
 * Refuses an object that would not take effect together with the existing ones, with the messages of `sluice validate`, and the removal
 * of the last policy; otherwise reports what the edit or the removal (a deletion, or a removed label) would change.
 */
export async function validatePolicy(request: AdmissionRequest, checks: PolicyChecks): Promise<AdmissionAnswer> {
  const old = read(request.oldObject);
  if (request.operation === 'DELETE') return old === null ? { allowed: true } : removal(request, old, null, checks);
  const now = read(request.object);
  if (now === null) return { allowed: true };
  if (!checks.policies.selects(now.kind === 'LLMPolicy' ? now.kind : 'ConfigMap', now.metadata?.labels ?? {}))
    return old === null ? { allowed: true } : removal(request, old, now, checks);
  const written = policyOf(now, request.namespace);
  const { accepted, problems, generation } = await checks.policies.preview(written);
  const lines = linesOf(written, problems);
  if (!accepted) return { allowed: false, message: `Sluice refuses this policy:\n${lines.join('\n')}` };
  if (generation === null) return { allowed: true, warnings: lines };
  return { allowed: true, warnings: [...lines, ...(await missingKeys(written, generation, checks)), ...(await checks.effect(generation))] };
}

/** Key files named by this object; those of others were reported when they were applied. */
async function missingKeys(written: PolicyObject, generation: PolicySnapshot, checks: PolicyChecks): Promise<readonly string[]> {
  const texts = Object.values(written.data);
  return (await checks.missingKeys(generation))
    .filter((file) => texts.some((text) => text.includes(file)))
    .map(
      (file) =>
        `credentialFile ${file} holds no key in Sluice's pod: its requests go without one. Mount its Secret (credentials in the chart).`,
    );
}

/** `now`: the object without its label; null if it is deleted. */
async function removal(
  request: AdmissionRequest,
  old: Written,
  now: Written | null,
  { policies, effect }: PolicyChecks,
): Promise<AdmissionAnswer> {
  const written = policyOf(old, request.namespace);
  const { generation, problems, changes, endsPolicy } = await policies.previewRemoval(written);
  if (!changes) return { allowed: true };
  if (generation === null)
    return {
      allowed: true,
      warnings: ['others need this policy: it stays in force until they are corrected', ...linesOf(written, problems)],
    };
  const lines = await effect(generation);
  const answer: AdmissionAnswer = endsPolicy ? lastRemoval(request, written, [old, now], lines) : { allowed: true, warnings: lines };
  if (answer.allowed && request.dryRun !== true) policies.leaves(written);
  return answer;
}

function lastRemoval(
  { userInfo }: AdmissionRequest,
  { kind, name, namespace }: PolicyObject,
  versions: readonly (Written | null)[],
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
      `To allow it: kubectl annotate ${kind.toLowerCase()} ${name} --namespace ${namespace} ${allowed}=true`,
    ].join('\n'),
  };
}

function read(object: unknown): Written | null {
  const parsed = objectSchema.safeParse(object);
  return parsed.success ? parsed.data : null;
}

function policyOf(written: Written, namespace: string): PolicyObject {
  const object = written.kind === 'LLMPolicy' ? readLlmPolicy(written) : readConfigMap(written);
  // Before it was written it has neither.
  const { metadata } = written;
  return {
    ...object,
    namespace: metadata?.namespace ?? namespace,
    created: metadata?.creationTimestamp == null ? Date.now() : object.created,
  };
}

function linesOf(object: PolicyObject, problems: readonly Problem[]): readonly string[] {
  return renderObjectProblems(object, problems)
    .split('\n')
    .filter((line) => line !== '');
}
