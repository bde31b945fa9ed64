/**
 * Code lengths in bits of the HPACK Huffman code (RFC 7541, appendix B) for the octets 0 to 255. The code is canonical:
 * codes of one length follow each other in the order of their octets, so the lengths define it completely.
 */
const codeLengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10,
  12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7,
  7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22,
  23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22,
  23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20,
  24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
] as const;

/** The end-of-string symbol: 30 ones. Inside a string it is an error; its leading bits are the padding at the end. */
const endOfString = 256;
const endOfStringBits = 30;

/** A binary tree in one array: entry 2n + bit is the next node, or ~symbol at a leaf. */
const tree: Int16Array = buildTree();

function buildTree(): Int16Array {
  const nodes = new Int16Array(2 * 512);
  let used = 1;
  let code = 0;
  const add = (length: number, symbol: number): void => {
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const at = 2 * node + ((code >>> bit) & 1);
      if (nodes[at] === 0) nodes[at] = used++;
      node = nodes[at]!;
    }
    nodes[2 * node + (code & 1)] = ~symbol;
    code++;
  };
  for (let length = 1; length <= endOfStringBits; length++) {
    code <<= 1;
    for (const [symbol, bits] of codeLengths.entries()) if (bits === length) add(length, symbol);
    if (length === endOfStringBits) add(length, endOfString);
  }
  return nodes;
}

/** Decodes a Huffman-coded string as latin1; null if it holds the end-of-string symbol or its padding is not all ones or too long. */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string | null {
  // The shortest code has 5 bits.
  const text = Buffer.allocUnsafe(Math.ceil(((end - start) * 8) / 5));
  let length = 0;
  let node = 0;
  let ones = 0;
  let open = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    for (let shift = 7; shift >= 0; shift--) {
      const bit = (byte >>> shift) & 1;
      open++;
      ones = bit === 1 ? ones + 1 : 0;
      const next = tree[2 * node + bit]!;
      if (next >= 0) {
        node = next;
        continue;
      }
      if (~next === endOfString) return null;
      text[length++] = ~next;
      node = 0;
      open = 0;
      ones = 0;
    }
  }
  if (open > 7 || ones !== open) return null;
  return text.toString('latin1', 0, length);
}
