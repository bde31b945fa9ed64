import { readUsageWith, type Billed } from './common/usage.ts';
import { apis } from './registry.ts';
import type { ApiName, Usage, UsageConvention } from './types.ts';

/** How an API counts; null when its usage is not read. */
export function conventionOf(api: ApiName): UsageConvention | null {
  return apis[api].answer.usage?.convention ?? null;
}

/** A provider's usage object in disjoint classes; null when it cannot be read. See `readUsageWith`. */
export function readUsage(api: ApiName, usage: unknown, raw: string, billed?: Billed): Usage | null {
  const reading = apis[api].answer.usage;
  return reading === null ? null : readUsageWith(reading, usage, raw, billed);
}
