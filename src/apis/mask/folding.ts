import { folded } from '../inspect/patterns.ts';

/** Units that are folded separately: plain text without compatibility forms, a run of Korean letters, a letter with its marks. */
const clusters = /[\0-\x7f]+(?![\p{M}\u200d])|[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+|[^][\p{M}\u200d]*/gu;

/** A text with its compatibility forms folded, and the source position in the text of each of its units. */
export interface FoldedText {
  readonly text: string;
  /** For each folded unit: start and end of its source in the text. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Null if nothing is folded, or if the positions cannot be determined. */
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
