import { createHash } from 'node:crypto';
import type { Exchange } from '../../apis/types.ts';

/** Words that name the template of a text without system prompt and tools. */
const openingWords = 6;

/**
 * Names the template of a request by 16 hex digits: a hash of its system prompt and tools, as apps send the same ones again and again. Without both,
 * of its first words. Digits do not count, so dates and numbers do not make a new template. `tokens`: lower-case words of the last user turn.
 */
export function templateOf({ system, toolNames, tools }: Pick<Exchange, 'system' | 'toolNames' | 'tools'>, tokens: readonly string[]): string {
  const hash = createHash('sha256');
  if (system !== '' || tools > 0) hash.update('system\n').update(system.replace(/\d+/g, '#')).update('\ntools\n').update([...toolNames].sort().join('\n'));
  else hash.update('opening\n').update(tokens.slice(0, openingWords).map((token) => (/^\d/.test(token) ? '#' : token)).join(' '));
  return hash.digest('hex').slice(0, 16);
}

/**
 * SimHash of words and of pairs of words, as 16 hex digits: texts that share most of them differ in few of its 64 bits (Charikar, "Similarity
 * estimation techniques from rounding algorithms", 2002).
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

/** In how many of 64 bits two hashes of 16 hex digits differ. */
export function bitsApart(a: string, b: string): number {
  return ones(parseInt(a.slice(0, 8), 16) ^ parseInt(b.slice(0, 8), 16)) + ones(parseInt(a.slice(8), 16) ^ parseInt(b.slice(8), 16));
}

function ones(value: number): number {
  let v = value - ((value >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
