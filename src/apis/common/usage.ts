import { limits } from '../../lib/limits.ts';
import type { ServiceTier, Usage, UsageConvention } from '../types.ts';

export type UsageFields = Readonly<Record<string, unknown>>;

/** Tokens of one answer as its API counts them: totals, and the classes that are inside them once the convention is applied. */
export type UsageParts = Omit<Usage, 'input' | 'output' | 'raw' | 'beyond' | 'service'> & {
  readonly service: ServiceTier | null;
  readonly beyond: readonly string[];
};

/** How an API counts, and how its usage object is read. */
export interface UsageReading {
  readonly convention: UsageConvention;
  /** The parsed object in classes; null: it is no usage object. Throws for a count that is no count; see `readUsageWith`. */
  readonly read: (usage: UsageFields) => UsageParts | null;
}

/** What an answer says of its price beside its usage. */
export interface Billed {
  readonly service: ServiceTier | null;
  readonly beyond: readonly string[];
}

const nothing: readonly string[] = [];
const plain: Billed = { service: null, beyond: [] };

class Unreadable extends Error {}

/** A token count; absent or null is 0, because providers leave out what did not happen. Anything else is unreadable. */
export function count(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Unreadable();
  return value;
}

/** An object's members; none for whatever is no object. */
export function fields(value: unknown): UsageFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as UsageFields) : {};
}

/**
 * A provider's usage object as disjoint classes; null when it cannot be read (a count that is no count, a part larger than
 * its whole). `usage` is the parsed object, `raw` its text; `billed`: what the answer around it says of its price.
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

/** Times, and sums of money that the provider works out itself. */
const harmless = /time|latency|duration|_ms$|cost|ticks|throughput|per_second/i;

/** Fields that nobody knows and that count something: they may be billed. */
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

/** A name as it may be kept; empty for whatever is no text. */
export function named(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, mostName) : '';
}

/** A tier by any provider's name for it; null: the standard one. */
export function serviceOf(name: string): ServiceTier | null {
  const tier = /flex|priority|batch/i.exec(name)?.[0].toLowerCase();
  return tier === undefined ? null : (tier as ServiceTier);
}
