/** Longest interned text, in UTF-16 units. */
const longest = 32;
const slots = 1 << 14;

/**
 * Interns short texts that repeat: a known text is returned as the existing string instead of a new one. Bounded; a text replaces another
 * with the same slot.
 */
export class InternedTexts {
  readonly #texts: string[] = new Array<string>(slots).fill('');

  /** The bytes from `start` to `end` as latin1. */
  latin1(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length > longest) return bytes.toString('latin1', start, end);
    let hash = 0x811c9dc5;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    const slot = (hash ^ (hash >>> 15)) & (slots - 1);
    const known = this.#texts[slot]!;
    if (known.length === length && isAt(bytes, start, known)) return known;
    return (this.#texts[slot] = bytes.toString('latin1', start, end));
  }
}

/** Most texts are short, so a loop is faster than a call. */
function isAt(bytes: Buffer, start: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text.charCodeAt(at)) return false;
  return true;
}
