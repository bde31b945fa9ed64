import { folded } from '../inspect/patterns.ts';

/** What compatibility forms are folded within: plain text, which has none, Korean letters in a row, a letter and the marks on it. */
const clusters = /[\0-\x7f]+(?![\p{M}\u200d])|[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+|[^][\p{M}\u200d]*/gu;

/** A text with its compatibility forms folded, and for each unit of it, and for its end, the unit of the text that it comes from. */
export interface FoldedText {
  readonly text: string;
  /** Where a folded unit's own part of the text begins, and where that part ends. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Null: nothing is folded, or it cannot be said where. */
export function foldedText(text: string): FoldedText | null {
  const whole = folded(text);
  if (whole === text) return null;
  const starts = new Int32Array(whole.length);
  const ends = new Int32Array(whole.length);
  let at = 0;
  for (const { 0: cluster, index } of text.matchAll(clusters)) {
    const part = folded(cluster);
    if (whole.slice(at, at + part.length) !== part) return null;
    const plain = part === cluster;
    for (let unit = 0; unit < part.length; unit++, at++) {
      starts[at] = plain ? index + unit : index;
      ends[at] = plain ? index + unit + 1 : index + cluster.length;
    }
  }
  return at === whole.length ? { text: whole, starts, ends } : null;
}
