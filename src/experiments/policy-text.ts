import { z } from 'zod';
import type { PolicySnapshot } from '../policy/types.ts';

/** A policy as it is kept outside of this process: what it is compiled from. */
export const policyText = z.object({
  files: z.array(z.looseObject({ name: z.string(), text: z.string() })),
  resourceVersion: z.string().nullable(),
});
export type PolicyText = z.infer<typeof policyText>;

export function textOf({ files, resourceVersion }: PolicySnapshot): PolicyText {
  return { files: files.map((one) => ({ ...one })), resourceVersion };
}
