/** A larger buffer with the bytes `from` to `to` at its beginning, and room for `more` after them and as much again. */
export function grown(bytes: Buffer, from: number, to: number, more: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(2 * (to - from + more));
  bytes.copy(larger, 0, from, to);
  return larger;
}
