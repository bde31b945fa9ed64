/** Protobuf fields put together from parts, as the messages that are fed to Sluice are: sizes first, then bytes. */
export interface Part {
  readonly size: number;
  write(target: Buffer, at: number): number;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) size++;
  return size;
}

function putVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

export function varintField(field: number, value: number): Part {
  const tag = field << 3;
  return { size: varintSize(tag) + varintSize(value), write: (target, at) => putVarint(target, putVarint(target, at, tag), value) };
}

export function bytesField(field: number, value: Uint8Array): Part {
  const tag = (field << 3) | 2;
  return {
    size: varintSize(tag) + varintSize(value.length) + value.length,
    write(target, at) {
      const start = putVarint(target, putVarint(target, at, tag), value.length);
      target.set(value, start);
      return start + value.length;
    },
  };
}

/** In UTF-8. */
export const stringField = (field: number, value: string): Part => bytesField(field, Buffer.from(value));

/** An embedded message of parts. */
export const messageField = (field: number, parts: readonly Part[]): Part => bytesField(field, encodeParts(parts));

/** All parts as one message's bytes. */
export function encodeParts(parts: readonly Part[]): Buffer {
  const target = Buffer.allocUnsafe(parts.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const part of parts) at = part.write(target, at);
  return target;
}
