import { hash } from 'node:crypto';
import type { ParsedRequest } from '../../apis/types.ts';

/** UTF-16 units of a system prompt that are read: its beginning, where the instructions are, and its end. */
const headUnits = 8_000;
const tailUnits = 2_000;

/** Most cached hashes of recent system prompts: apps repeat the same ones. */
const mostCached = 256;
const cached = new Map<string, string>();

/**
 * Names the template of a request by 16 hex digits: a hash of the parts of its system prompt and tools that requests of the same app share.
 * Names, dates, numbers, ids, addresses, quoted material and context are ignored. Without a system prompt and tools, a hash of the kind of
 * work.
 */
export function templateOf({ system, toolNames, tools }: Pick<ParsedRequest, 'system' | 'toolNames' | 'tools'>, kind: string): string {
  if (system === '' && tools === 0) return hashed(`kind\n${kind}`);
  if (tools > 0) return hashed(`system\n${skeletonHash(system)}\ntools\n${[...toolNames].sort().join('\n')}`);
  return skeletonHash(system);
}

function skeletonHash(system: string): string {
  const part = system.length > headUnits + tailUnits ? system.slice(0, headUnits) + system.slice(-tailUnits) : system;
  let found = cached.get(part);
  if (found === undefined) {
    if (cached.size >= mostCached) cached.delete(cached.keys().next().value ?? '');
    cached.set(part, (found = hashed(skeletonOf(part))));
  }
  return found;
}

function hashed(text: string): string {
  return hash('sha256', text).slice(0, 16);
}

/** Fenced, tagged and quoted material that an app inserts into its instructions. Each alternative is linear. */
const pasted =
  /```[\s\S]*?```|"""[\s\S]*?"""|<([a-z][\w-]{0,40})>[\s\S]{0,8000}?<\/\1>|"[^"\n]{2,2000}"|“[^”\n]{2,2000}”|'(?<=[\s(:]')[^'\n]{2,2000}'(?=[\s.,;:!?)]|$)|`[^`\n]{2,2000}`/gi;

/** A heading that introduces context, which extends to the next heading. */
const contextHeading =
  /^\W{0,4}(?:context|documents?|sources?|passages?|background|search results|retrieved \w+|knowledge(?: base)?|(?:chat |conversation )?history|memor(?:y|ies)|user (?:profile|data|info(?:rmation)?)|customer (?:profile|data|record))\W{0,4}(?::|$)/i;
const anyHeading = /^(?:#{1,6}\s|[A-Z][\w ]{0,40}:(?:\s|$))/;

const address = /\b(?:https?:\/\/|www\.)\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+/gi;
/** A word that contains a digit, with attached characters: dates, times, amounts, versions, ids. */
const numbered = /[\p{L}\p{N}_#$€£-]*\p{N}[\p{L}\p{N}_.,:/%+-]*/gu;
const calendar =
  /\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?(?=\s*#)|(?<=#(?:st|nd|rd|th)?\s+)(?:january|february|march|april|may|june|july|august|september|october|november|december)\b/gi;
/** Names: a capitalised word within a sentence with the capitalised words after it, or two capitalised words anywhere. */
const names = /(?<=[^.!?:\n\s][ ])\p{Lu}[\p{Ll}'’-]+(?:[ ]\p{Lu}[\p{L}'’.-]*)*|\p{Lu}[\p{Ll}'’-]+(?:[ ]\p{Lu}[\p{L}'’-]+)+/gu;

/** A system prompt without everything that differs between two requests of one app. */
function skeletonOf(system: string): string {
  return withoutContext(system.replace(pasted, '"'))
    .replace(address, '@')
    .replace(numbered, '#')
    .replace(calendar, '#')
    .replace(names, '@')
    .replace(/[#@"](?:[\s,;/&-]*(?:and\s+)?[#@"])*/g, '@')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase();
}

function withoutContext(text: string): string {
  const kept: string[] = [];
  let inside = false;
  for (const line of text.split('\n')) {
    const trimmed = line.trimStart();
    if (contextHeading.test(trimmed)) {
      inside = true;
      kept.push('"');
      continue;
    }
    if (inside && anyHeading.test(trimmed)) inside = false;
    if (!inside) kept.push(line);
  }
  return kept.join('\n');
}

/**
 * SimHash of words and of pairs of words, as 16 hex digits: texts that share most of them differ in few of its 64 bits (Charikar,
 * "Similarity estimation techniques from rounding algorithms", 2002).
 */
export function nearHash(tokens: readonly string[]): string {
  const votes = new Int32Array(64);
  let before = 0;
  for (const token of tokens) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < token.length; i++) hash = Math.imul(hash ^ token.charCodeAt(i), 0x01000193);
    vote(votes, hash);
    if (before !== 0) vote(votes, Math.imul(before, 31) + hash);
    before = hash;
  }
  let low = 0;
  let high = 0;
  for (let bit = 0; bit < 32; bit++) {
    if (votes[bit]! > 0) low |= 1 << bit;
    if (votes[bit + 32]! > 0) high |= 1 << bit;
  }
  return hex(high) + hex(low);
}

function vote(votes: Int32Array, hash: number): void {
  const low = mix(hash);
  const high = mix(hash ^ 0x9e3779b9);
  for (let bit = 0; bit < 32; bit++) {
    votes[bit]! += (low >>> bit) & 1 ? 1 : -1;
    votes[bit + 32]! += (high >>> bit) & 1 ? 1 : -1;
  }
}

/** The finaliser of MurmurHash3. */
function mix(state: number): number {
  let h = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

/** Number of different bits, of 64, between two hashes of 16 hex digits. */
export function bitsApart(a: string, b: string): number {
  return ones(parseInt(a.slice(0, 8), 16) ^ parseInt(b.slice(0, 8), 16)) + ones(parseInt(a.slice(8), 16) ^ parseInt(b.slice(8), 16));
}

function ones(value: number): number {
  let v = value - ((value >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
