import { z } from 'zod';
import { renderProblems } from '../policy/store.ts';
import type { PolicyGeneration } from '../policy/types.ts';
import type { AdmissionAnswer, AdmissionRequest } from './admission.ts';
import { configMapId, policyKeys, type PolicyConfigMap } from './compose.ts';
import type { PolicyPreview } from './policy-store.ts';

const configMapSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string().optional(), namespace: z.string().optional(), uid: z.string().optional(), resourceVersion: z.string().optional(), creationTimestamp: z.string().nullish() }).optional(),
  data: z.record(z.string(), z.string()).nullish(),
});

export interface PolicyChecks {
  readonly preview: (configMap: PolicyConfigMap) => PolicyPreview;
  /** What a policy would have changed of recent requests, a line each. */
  readonly effect: (after: PolicyGeneration) => Promise<readonly string[]>;
}

/** Refuses a ConfigMap that would not come into force beside those that there are, in the words of `sluice validate`; else says what it would change. */
export async function validatePolicy({ object, namespace }: AdmissionRequest, { preview, effect }: PolicyChecks): Promise<AdmissionAnswer> {
  const parsed = configMapSchema.safeParse(object);
  if (!parsed.success) return { allowed: true };
  const { metadata, data } = parsed.data;
  const created = metadata?.creationTimestamp ?? null;
  const configMap = {
    name: metadata?.name ?? '',
    namespace: metadata?.namespace ?? namespace,
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    created: created === null ? Date.now() : Date.parse(created),
    data: policyKeys(data),
  };
  const { accepted, problems, generation } = preview(configMap);
  // The name is what was typed; only the key is news.
  const lines = renderProblems(problems).replaceAll(`${configMapId(configMap)}#`, '').split('\n').filter((line) => line !== '');
  if (!accepted) return { allowed: false, message: `Sluice refuses this policy:\n${lines.join('\n')}` };
  return { allowed: true, warnings: generation === null ? lines : [...lines, ...(await effect(generation))] };
}
