/** The little of DER (ITU-T X.690) that a certificate needs. */

export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A context-specific tag; `constructed`: around other values. */
export const contextTag = (number: number, constructed: boolean): number => 0x80 | (constructed ? 0x20 : 0) | number;

/** One value: its tag, its length and what it holds. */
export function der(of: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([of, body.length]), body]);
  const hex = body.length.toString(16);
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.from([of, 0x80 | length.length]), length, body]);
}

/** An object identifier in its dotted form; every arc is below 2^31. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const arcs = [first * 40 + second, ...rest].flatMap((arc) => {
    const bytes = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) bytes.unshift((left & 0x7f) | 0x80);
    return bytes;
  });
  return der(tag.oid, Buffer.from(arcs));
}

/** Bits without unused ones at the end. */
export const bits = (bytes: Uint8Array): Buffer => der(tag.bitString, Buffer.from([0]), bytes);

/** A value that was read: with its tag and length, and without. */
export interface DerValue {
  readonly tag: number;
  readonly whole: Buffer;
  readonly body: Buffer;
}

/** The values in a row, for example the members of a sequence. Throws RangeError if the bytes end within one. */
export function derValues(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const first = bytes.readUInt8(at + 1);
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes);
    const begin = at + 2 + lengthBytes;
    if (begin + length > bytes.length) throw new RangeError('the bytes end within a value');
    values.push({ tag: bytes[at]!, whole: bytes.subarray(at, begin + length), body: bytes.subarray(begin, begin + length) });
    at = begin + length;
  }
  return values;
}
