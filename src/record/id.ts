import { randomFillSync } from 'node:crypto';

/** Random bytes are drawn for many ids at once: a call per id would cost more than the rest of the id. */
const pool = new Uint8Array(8 * 512);
let poolAt = pool.length;

const digits = '0123456789abcdef';
/** Buffer of the id being built. */
const text: Buffer = Buffer.from('00000000-0000-0000-0000-000000000000');

let lastMs = 0;
let counter = 0;

/**
 * A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, a 12-bit counter, 62 random bits. Ids of one process sort in order of creation, also
 * within a millisecond and when the clock steps back.
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
    // Starts in the lower half, to leave room for counting in a busy millisecond.
    counter = ((pool[at]! & 0x07) << 8) | pool[at + 1]!;
  } else if (++counter > 0xfff) {
    lastMs++;
    counter = 0;
  }
  const high = Math.floor(lastMs / 0x1_0000_0000);
  const low = lastMs >>> 0;
  put(0, high >>> 8);
  put(2, high);
  put(4, low >>> 24);
  put(6, low >>> 16);
  put(9, low >>> 8);
  put(11, low);
  put(14, 0x70 | (counter >>> 8));
  put(16, counter);
  put(19, 0x80 | (pool[at + 2]! & 0x3f));
  put(21, pool[at + 3]!);
  for (let index = 0; index < 4; index++) put(24 + 2 * index, pool[at + 4 + index]!);
  put(32, pool[at]! ^ 0xa5);
  put(34, pool[at + 1]! ^ 0x5a);
  return text.toString('latin1');
}

/** Writes the two digits of a byte; joining strings would allocate a dozen per id. */
function put(at: number, byte: number): void {
  text[at] = digits.charCodeAt((byte >>> 4) & 0xf);
  text[at + 1] = digits.charCodeAt(byte & 0xf);
}
