import { limits } from '../../lib/limits.ts';
import type { ServiceTier, Usage, UsageConvention } from '../types.ts';

export type UsageFields = Readonly<Record<string, unknown>>;

/** Tokens of one answer as its API counts them: totals, and classes that are inside the totals once the convention is applied. */
export type UsageParts = Omit<Usage, 'input' | 'output' | 'raw' | 'beyond' | 'service'> & {
  readonly service: ServiceTier | null;
  readonly beyond: readonly string[];
};

/** How an API counts, and how to read its usage object. */
export interface UsageReading {
  readonly convention: UsageConvention;
  /** The parsed object in classes; null if it is not a usage object. Throws for an invalid count; see `readUsageWith`. */
  readonly read: (usage: UsageFields) => UsageParts | null;
}

/** What an answer says about its price outside its usage. */
export interface Billed {
  readonly service: ServiceTier | null;
  readonly beyond: readonly string[];
}

const nothing: readonly string[] = [];
const plain: Billed = { service: null, beyond: [] };

class Unreadable extends Error {}

/** A token count; absent or null is 0, because providers leave out counts of 0. Any other value is an error. */
export function count(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Unreadable();
  return value;
}

/** An object's members; empty for any other value. */
export function fields(value: unknown): UsageFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as UsageFields) : {};
}

/**
 * A provider's usage object as disjoint classes; null if it cannot be read (an invalid count, or a part larger than its whole). `usage` is
 * the parsed object, `raw` its text; `billed`: what the surrounding answer says about its price.
 */
export function readUsageWith(reading: UsageReading, usage: unknown, raw: string, billed: Billed = plain): Usage | null {
  if (typeof usage !== 'object' || usage === null) return null;
  try {
    const read = reading.read(usage as UsageFields);
    if (read === null) return null;
    const service = billed.service ?? read.service;
    const beyond = read.beyond.length + billed.beyond.length === 0 ? nothing : [...new Set([...read.beyond, ...billed.beyond])];
    const { convention, totalInput, cachedRead, cacheWrite5m, cacheWrite1h, audioInput, totalOutput, reasoning, audioOutput } = read;
    const input = totalInput - cachedRead - cacheWrite5m - cacheWrite1h - audioInput;
    const output = totalOutput - reasoning - audioOutput;
    if (input < 0 || output < 0) return null;
    return {
      convention,
      input,
      cachedRead,
      cacheWrite5m,
      cacheWrite1h,
      audioInput,
      output,
      reasoning,
      audioOutput,
      totalInput,
      totalOutput,
      ...(service === null ? {} : { service }),
      ...(beyond.length === 0 ? {} : { beyond }),
      raw: raw.slice(0, limits.rawUsageBytes),
    };
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

/** Times, and amounts of money that the provider calculates itself. */
const harmless = /time|latency|duration|_ms$|cost|ticks|throughput|per_second/i;

/** Unknown fields that count something: they may be billed. */
export function unknownFields(usage: UsageFields, known: ReadonlySet<string>, found: string[]): void {
  for (const name in usage) {
    if (found.length >= mostBeyond) return;
    const value = usage[name];
    if (known.has(name) || harmless.test(name)) {
      if (name.endsWith('_details')) unknownFields(fields(value), known, found);
    } else if (
      (typeof value === 'number' && value > 0) ||
      (typeof value === 'object' && value !== null && countsSomething(value as UsageFields))
    )
      found.push(name.slice(0, mostName));
  }
}

function countsSomething(value: UsageFields): boolean {
  for (const name in value) {
    const inner = value[name];
    if (typeof inner === 'number' && inner > 0) return true;
  }
  return false;
}

const mostBeyond = 8;
/** The longest name that is kept, UTF-16 units. */
const mostName = 64;

/** A name to keep, cut to `mostName`; empty if it is not a string. */
export function named(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, mostName) : '';
}

/** A tier by any provider's name for it; null for the standard tier. */
export function serviceOf(name: string): ServiceTier | null {
  const tier = /flex|priority|batch/i.exec(name)?.[0].toLowerCase();
  return tier === undefined ? null : (tier as ServiceTier);
}
