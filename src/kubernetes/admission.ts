import { z } from 'zod';

/** What the API server asks, as far as it is used. */
const reviewSchema = z.looseObject({
  request: z.looseObject({
    uid: z.string(),
    operation: z.string(),
    namespace: z.string().default(''),
    object: z.looseObject({}).nullish(),
    oldObject: z.looseObject({}).nullish(),
    /** Nothing will be written, whatever is answered. */
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
  /** For people, when refused. */
  readonly message?: string;
  /** kubectl prints each as a line of its own. */
  readonly warnings?: readonly string[];
  readonly patch?: readonly PatchOperation[];
}

/** Reads an AdmissionReview; null when it is none. */
export function readReview(text: string): AdmissionRequest | null {
  try {
    const parsed = reviewSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.request : null;
  } catch {
    return null;
  }
}

/** Longest warning that is sent, and how many: the API server cuts what is beyond about 4 KiB together. */
const warningLength = 250;
const mostWarnings = 12;

/** The AdmissionReview that answers a request. */
export function writeReview(uid: string, { allowed, message, warnings = [], patch }: AdmissionAnswer): string {
  const shown = warnings
    .slice(0, mostWarnings)
    .map((text) => (text.length <= warningLength ? text : `${text.slice(0, warningLength - 1)}…`));
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
