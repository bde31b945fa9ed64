import type { Pieces } from './weights-file.ts';

/** The sign that stands for a space, in UTF-8. */
const space = [0xe2, 0x96, 0x81] as const;

/**
 * Cuts texts into pieces of words as SentencePiece's unigram model does: letters are normalised, spaces become part of the word after
 * them, and of all ways to cut a text the one whose pieces have the highest sum of scores is taken. A character without a piece is `unknown`.
 */
export class Unigram {
  readonly #pieces: Pieces;
  /** Hash table of pieces: the index plus 1; 0 if empty. */
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #longest: number;
  readonly #unknownScore: number;

  constructor(pieces: Pieces) {
    this.#pieces = pieces;
    const { offsets, scores, bytes } = pieces;
    this.#mask = 2 ** Math.ceil(Math.log2(2 * scores.length + 2)) - 1;
    this.#slots = new Int32Array(this.#mask + 1);
    let longest = 1;
    let least = Infinity;
    for (let piece = 0; piece < scores.length; piece++) {
      const from = offsets[piece]!;
      const to = offsets[piece + 1]!;
      longest = Math.max(longest, to - from);
      least = Math.min(least, scores[piece]!);
      if (to === from) continue;
      let hash = start;
      for (let at = from; at < to; at++) hash = next(hash, bytes[at]!);
      let slot = mixed(hash) & this.#mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = piece + 1;
    }
    this.#longest = longest;
    this.#unknownScore = least - 10;
  }

  /**
   * The pieces of a text, between the marks of beginning and end, at most `most` with them: of a longer text the first pieces and a third
   * at its end.
   */
  encode(text: string, most: number): Int32Array {
    const { begin, end } = this.#pieces;
    const all = this.#cut(this.#normalised(text));
    const room = most - 2;
    const tail = Math.floor(room / 3);
    const kept = all.length <= room ? all : [...all.slice(0, room - tail), ...all.slice(all.length - tail)];
    return Int32Array.of(begin, ...kept, end);
  }

  /** UTF-8 bytes of the text, spaces as their sign, and where each of its characters begins. */
  #normalised(text: string): { readonly bytes: Buffer; readonly starts: Int32Array } {
    const points: number[] = [];
    const add = (point: number): void => {
      if (point !== 0x20 || points.at(-1) !== 0x20) points.push(point);
    };
    for (const character of text) {
      const point = character.codePointAt(0)!;
      const becomes = this.#pieces.letters.get(point);
      if (becomes === undefined) add(point);
      else for (const one of becomes) add(one);
    }
    if (points[0] !== 0x20) points.unshift(0x20);
    const starts = new Int32Array(points.length + 1);
    const bytes = Buffer.alloc(4 * points.length);
    let length = 0;
    for (const [at, point] of points.entries()) {
      starts[at] = length;
      if (point === 0x20) for (const byte of space) bytes[length++] = byte;
      else length += bytes.write(String.fromCodePoint(point), length);
    }
    starts[points.length] = length;
    return { bytes, starts };
  }

  /** The best way to cut (Viterbi's algorithm). */
  #cut({ bytes, starts }: { readonly bytes: Buffer; readonly starts: Int32Array }): number[] {
    const count = starts.length - 1;
    const best = new Float64Array(count + 1).fill(-Infinity);
    const piece = new Int32Array(count + 1);
    const from = new Int32Array(count + 1);
    const { scores, unknown } = this.#pieces;
    best[0] = 0;
    for (let at = 0; at < count; at++) {
      let hash = start;
      for (let to = at + 1; to <= count && starts[to]! - starts[at]! <= this.#longest; to++) {
        for (let i = starts[to - 1]!; i < starts[to]!; i++) hash = next(hash, bytes[i]!);
        const found = this.#find(mixed(hash), bytes, starts[at]!, starts[to]!);
        if (found === -1 || found === unknown) continue;
        const score = best[at]! + scores[found]!;
        if (score <= best[to]!) continue;
        best[to] = score;
        piece[to] = found;
        from[to] = at;
      }
      const score = best[at]! + this.#unknownScore;
      if (score <= best[at + 1]!) continue;
      best[at + 1] = score;
      piece[at + 1] = unknown;
      from[at + 1] = at;
    }
    const ids: number[] = [];
    for (let at = count; at > 0; at = from[at]!) ids.push(piece[at]!);
    return ids.reverse();
  }

  #find(hash: number, text: Buffer, from: number, to: number): number {
    const { offsets, bytes } = this.#pieces;
    for (let slot = hash & this.#mask; this.#slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const piece = this.#slots[slot]! - 1;
      const at = offsets[piece]!;
      if (offsets[piece + 1]! - at !== to - from) continue;
      let same = 0;
      while (same < to - from && bytes[at + same] === text[from + same]) same++;
      if (same === to - from) return piece;
    }
    return -1;
  }
}

const start = 0x811c9dc5;
const next = (hash: number, byte: number): number => Math.imul(hash ^ byte, 0x01000193);
const mixed = (hash: number): number => hash ^ (hash >>> 15);
