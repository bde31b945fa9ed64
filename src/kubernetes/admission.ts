import { z } from 'zod';
import { clipped } from '../lib/clipped.ts';

/** The used part of the API server's request. */
const reviewSchema = z.looseObject({
  request: z.looseObject({
    uid: z.string(),
    operation: z.string(),
    namespace: z.string().default(''),
    object: z.looseObject({}).nullish(),
    oldObject: z.looseObject({}).nullish(),
    /** Nothing will be written, whatever the response. */
    dryRun: z.boolean().nullish(),
    userInfo: z.looseObject({ username: z.string().optional() }).optional(),
  }),
});

export type AdmissionRequest = z.infer<typeof reviewSchema>['request'];

/** One step of RFC 6902. */
export interface PatchOperation {
  readonly op: 'add';
  /** JSON Pointer. */
  readonly path: string;
  readonly value: unknown;
}

export interface AdmissionAnswer {
  readonly allowed: boolean;
  /** Shown to users when refused. */
  readonly message?: string;
  /** kubectl prints each on its own line. */
  readonly warnings?: readonly string[];
  readonly patch?: readonly PatchOperation[];
  /** What was done with a pod's egress, for the metric. */
  readonly egress?: { readonly mode: 'base-url' | 'names' | 'sidecar'; readonly result: 'governed' | 'skipped' };
}

/** Parses an AdmissionReview; null if it is not one. */
export function readReview(text: string): AdmissionRequest | null {
  try {
    const parsed = reviewSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.request : null;
  } catch {
    return null;
  }
}

/** Longest warning and most warnings sent: the API server truncates beyond about 4 KiB in total. */
const warningLength = 250;
const mostWarnings = 12;

/** The AdmissionReview with the response to a request. */
export function writeReview(uid: string, { allowed, message, warnings = [], patch }: AdmissionAnswer): string {
  const shown = warnings.slice(0, mostWarnings).map((text) => clipped(text, warningLength));
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed,
      ...(message === undefined ? {} : { status: { code: 422, reason: 'Invalid', message } }),
      ...(shown.length === 0 ? {} : { warnings: shown }),
      ...(patch === undefined || patch.length === 0
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
    },
  });
}
