import { isUtf8 } from 'node:buffer';
import { JsonCursor } from '../scan/scan.ts';

/** A number that a JavaScript number would change (64-bit integers, 1.0, 1e400): kept as it was written. */
export interface RawNumber {
  readonly rawJSON: string;
}

export type Json = null | boolean | number | string | RawNumber | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** Node 24's "JSON.parse source text access", which the standard library's types do not include yet. */
interface SourceTextJson {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
}

const sourceJson = JSON as unknown as SourceTextJson;

function exactNumber(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || context.source === String(value)) return value;
  return sourceJson.rawJSON(context.source);
}

/** Parses JSON without changing any number. Undefined if the text is not JSON. */
export function parseJson(text: string): Json | undefined {
  try {
    return sourceJson.parse(text, exactNumber) as Json;
  } catch {
    // Not JSON, or nested so deeply that the stack overflows: unreadable either way.
    return undefined;
  }
}

/** Parses a whole body: UTF-8 JSON no deeper than limits.jsonDepth. Undefined otherwise; never throws. */
export function parseBody(body: Buffer): Json | undefined {
  if (!isUtf8(body)) return undefined;
  try {
    const cursor = new JsonCursor(body);
    cursor.skip();
    cursor.finish();
  } catch {
    return undefined;
  }
  return parseJson(body.toString('utf8'));
}

/** Writes JSON; members that are undefined are left out, raw numbers are written unchanged. */
export function writeJson(value: Json): string {
  return JSON.stringify(value);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !sourceJson.isRawJSON(value);
}

export function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

/** The value as a JavaScript number; null if it is not a number. */
export function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return value;
  return sourceJson.isRawJSON(value) ? Number(value.rawJSON) : null;
}

export function isNumber(value: unknown): value is number | RawNumber {
  return typeof value === 'number' || sourceJson.isRawJSON(value);
}

/** A member of a value that may not be an object. */
export function member(value: unknown, key: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

export function list(value: unknown): readonly Json[] {
  return isList(value) ? value : [];
}

/** The same value with every raw number converted to a JavaScript number: for readers that only count. */
export function plain(value: Json | undefined): unknown {
  return value === undefined ? undefined : (JSON.parse(writeJson(value)) as unknown);
}
