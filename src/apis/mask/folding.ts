import { folded } from '../inspect/patterns.ts';

/** A letter and the marks on it, Korean letters in a row: what compatibility forms are folded within. */
const clusters = /[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+|[^][\p{M}\u200d]*/gu;

/** A text with its compatibility forms folded, and for each unit of it, and for its end, the unit of the text that it comes from. */
export interface FoldedText {
  readonly text: string;
  /** Where a folded unit's own part of the text begins, and where that part ends. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Null: nothing is folded, or it cannot be said where. */
export function foldedText(text: string): FoldedText | null {
  const whole = folded(text);
  if (whole === text) return null;
  const starts: number[] = [];
  const ends: number[] = [];
  let joined = '';
  for (const { 0: cluster, index } of text.matchAll(clusters)) {
    const part = folded(cluster);
    joined += part;
    for (let unit = 0; unit < part.length; unit++) {
      starts.push(index);
      ends.push(index + cluster.length);
    }
  }
  return joined === whole ? { text: joined, starts, ends } : null;
}
