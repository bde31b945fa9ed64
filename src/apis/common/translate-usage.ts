import type { Usage } from '../types.ts';
import { plain, writeJson, type Json } from './json.ts';
import { readUsageWith, type UsageReading } from './usage.ts';

/** A provider's usage object in classes; null if there is none or it cannot be read. */
export function usageOf(reading: UsageReading, usage: Json | undefined): Usage | null {
  if (usage === undefined || usage === null) return null;
  return readUsageWith(reading, plain(usage), writeJson(usage));
}
