import { z } from 'zod';
import { renderProblems } from '../policy/store.ts';
import type { AdmissionAnswer, AdmissionRequest } from './admission.ts';
import { configMapId, policyKeys, type PolicyConfigMap } from './compose.ts';
import type { PolicyPreview } from './policy-store.ts';

const configMapSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string().optional(), namespace: z.string().optional(), uid: z.string().optional(), resourceVersion: z.string().optional(), creationTimestamp: z.string().nullish() }).optional(),
  data: z.record(z.string(), z.string()).nullish(),
});

/** Refuses a ConfigMap that would not come into force beside those that there are, in the words of `sluice validate`. */
export function validatePolicy({ object, namespace }: AdmissionRequest, preview: (configMap: PolicyConfigMap) => PolicyPreview): AdmissionAnswer {
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
  const { accepted, problems } = preview(configMap);
  // The name is what was typed; only the key is news.
  const lines = renderProblems(problems).replaceAll(`${configMapId(configMap)}#`, '').split('\n').filter((line) => line !== '');
  return accepted ? { allowed: true, warnings: lines } : { allowed: false, message: `Sluice refuses this policy:\n${lines.join('\n')}` };
}
