import { randomFillSync } from 'node:crypto';

/** Random bytes are drawn for many ids at once: a call per id costs more than the id. */
const pool = new Uint8Array(8 * 512);
let poolAt = pool.length;

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

let lastMs = 0;
let counter = 0;

/**
 * A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, a 12-bit counter, 62 random bits. Ids of one process sort in the
 * order they were made, also within a millisecond and when the clock steps back.
 */
export function uuidv7(now: number = Date.now()): string {
  if (poolAt === pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const at = poolAt;
  poolAt += 8;
  if (now > lastMs) {
    lastMs = now;
    // Starts in the lower half so that a busy millisecond has room to count.
    counter = ((pool[at]! & 0x07) << 8) | pool[at + 1]!;
  } else if (++counter > 0xfff) {
    lastMs++;
    counter = 0;
  }
  const high = Math.floor(lastMs / 0x1_0000_0000);
  const low = lastMs >>> 0;
  return (
    hex[(high >>> 8) & 0xff]! + hex[high & 0xff]! + hex[low >>> 24]! + hex[(low >>> 16) & 0xff]! + '-' +
    hex[(low >>> 8) & 0xff]! + hex[low & 0xff]! + '-' +
    hex[0x70 | (counter >>> 8)]! + hex[counter & 0xff]! + '-' +
    hex[0x80 | (pool[at + 2]! & 0x3f)]! + hex[pool[at + 3]!]! + '-' +
    hex[pool[at + 4]!]! + hex[pool[at + 5]!]! + hex[pool[at + 6]!]! + hex[pool[at + 7]!]! +
    hex[pool[at]! ^ 0xa5]! + hex[pool[at + 1]! ^ 0x5a]!
  );
}
