import { z } from 'zod';
import type { AdmissionAnswer, PatchOperation } from './admission.ts';

/** How a pod's calls reach Sluice. Closed list: a metric label, and the values of the label that asks for it. */
type EgressMode = 'base-url' | 'names' | 'sidecar';

/** Label on every pod that a webhook saw: its mode, or `skipped`. */
export const governedLabel = 'sluice.dev/governed';
/** Annotation: `governed`, or why it was left as it is. */
export const statusAnnotation = 'sluice.dev/egress-status';
/** Annotation: `namespace/service`, and with names the addresses that the pod has in its /etc/hosts. */
export const gatewayAnnotation = 'sluice.dev/egress-gateway';

const marked = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).nullish(), annotations: z.record(z.string(), z.string()).nullish() }),
});

/** What a webhook did with a pod. */
export interface EgressMark {
  readonly mode: EgressMode;
  /** Why the pod was left as it is; null: it is governed. */
  readonly skipped: string | null;
  /** Where its calls go: `namespace/service`, with names followed by the addresses, joined by commas; null in a pod with a gateway of its own. */
  readonly gateway: string | null;
}

/** Adds the mark to an answer, so that `sluice egress` finds the pod. A pod that has one keeps it. */
export function withMark(object: unknown, answer: AdmissionAnswer, mark: EgressMark): AdmissionAnswer {
  const parsed = marked.safeParse(object);
  const { labels, annotations } = parsed.success ? parsed.data.metadata : {};
  if (annotations?.[statusAnnotation] !== undefined) return answer;
  const { mode, skipped, gateway } = mark;
  const notes = {
    [statusAnnotation]: skipped === null ? 'governed' : `skipped: ${skipped}`,
    ...(gateway === null || skipped !== null ? {} : { [gatewayAnnotation]: gateway }),
  };
  const whole = parsed.success ? [] : [{ op: 'add', path: '/metadata', value: {} } as const];
  return {
    ...answer,
    egress: { mode, result: skipped === null ? 'governed' : 'skipped' },
    patch: [
      ...(answer.patch ?? []),
      ...whole,
      ...addTo('/metadata/labels', labels, { [governedLabel]: skipped === null ? mode : 'skipped' }),
      ...addTo('/metadata/annotations', annotations, notes),
    ],
  };
}

function addTo(path: string, existing: object | null | undefined, entries: Readonly<Record<string, string>>): PatchOperation[] {
  if (existing === null || existing === undefined) return [{ op: 'add', path, value: entries }];
  return Object.entries(entries).map(([key, value]) => ({ op: 'add', path: `${path}/${key.replaceAll('/', '~1')}`, value }));
}

/** `namespace/service` of a Service's host name: `sluice.llm`, `sluice.llm.svc`. */
export function serviceOf(host: string): string {
  const [name = '', namespace = ''] = host.split('.');
  return `${namespace}/${name}`;
}
