import { limits } from '../../lib/limits.ts';
import { serviceTiers, type ServiceTier, type Usage, type UsageConvention } from '../types.ts';
import type { Mutable } from '../../lib/mutable.ts';

export type UsageFields = Readonly<Record<string, unknown>>;

/** Tokens of one answer as its API counts them: totals, and classes that are inside the totals once the convention is applied. */
export type UsageParts = Omit<Usage, 'input' | 'output' | 'raw' | 'beyond' | 'service'> & {
  readonly service: ServiceTier | null;
  readonly beyond: readonly string[];
};

/** Number of calls or units by the provider's own names. */
type Calls = Readonly<Record<string, number>>;

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
  readonly calls?: Calls;
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
    const extras = extrasOf(read, billed.calls);
    if ((extras.cachedAudio ?? 0) > cachedRead || (extras.imageInput ?? 0) > input || (extras.imageOutput ?? 0) > output) return null;
    const whole: Mutable<Usage> = {
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
      raw: raw.slice(0, limits.rawUsageBytes),
    };
    if (extras !== noExtras) Object.assign(whole, extras);
    if (service !== null) whole.service = service;
    if (beyond.length > 0) whole.beyond = beyond;
    return whole;
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

type Extras = Pick<Usage, 'cachedAudio' | 'imageInput' | 'imageOutput' | 'longestInput' | 'calls' | 'uplifts'>;
const noExtras: Extras = {};

/** What most answers do not have. */
function extrasOf(read: UsageParts, more: Calls | undefined): Extras {
  const { cachedAudio = 0, imageInput = 0, imageOutput = 0, longestInput = 0, uplifts = nothing } = read;
  const calls = more === undefined ? read.calls : { ...read.calls, ...more };
  if (cachedAudio + imageInput + imageOutput + longestInput + uplifts.length === 0 && calls === undefined) return noExtras;
  return {
    ...(cachedAudio === 0 ? {} : { cachedAudio }),
    ...(imageInput === 0 ? {} : { imageInput }),
    ...(imageOutput === 0 ? {} : { imageOutput }),
    ...(longestInput === 0 ? {} : { longestInput }),
    ...(calls === undefined || Object.keys(calls).length === 0 ? {} : { calls }),
    ...(uplifts.length === 0 ? {} : { uplifts }),
  };
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

const tierName = new RegExp(serviceTiers.join('|'), 'i');

/** Names of the standard tier. */
const standardTier = /^(?:|default|auto|standard|standard_only|on_demand|unspecified|traffic_type_unspecified)$/i;

/** A tier by any provider's name for it; null for the standard tier. A tier without known prices is added to `beyond`. */
export function serviceOf(name: string, beyond: { push: (name: string) => unknown }): ServiceTier | null {
  const tier = tierName.exec(name)?.[0].toLowerCase();
  if (tier !== undefined) return tier as ServiceTier;
  if (!standardTier.test(name)) beyond.push(`service_tier ${name}`);
  return null;
}

/** The counts of a usage that names none of them. */
export const noTokens: Omit<UsageParts, 'convention'> = {
  totalInput: 0,
  cachedRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  audioInput: 0,
  totalOutput: 0,
  reasoning: 0,
  audioOutput: 0,
  service: null,
  beyond: [],
};
