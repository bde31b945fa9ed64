const prefixLength = 'YYYY-MM-DDTHH:MM:SS.'.length;
const length = prefixLength + 4;
const text: Buffer = Buffer.alloc(length, 'Z');
let second = NaN;

/** Most records of a second share all but the milliseconds: those alone are written again. */
function write(ms: number): boolean {
  const own = Math.floor(ms / 1_000);
  if (own !== second) {
    const whole = new Date(own * 1_000).toISOString();
    // Years beyond 9999 have a longer form.
    if (whole.length !== length) return false;
    text.write(whole, 0, prefixLength, 'latin1');
    second = own;
  }
  const rest = Math.floor(ms) - own * 1_000;
  text[prefixLength] = 0x30 + Math.floor(rest / 100);
  text[prefixLength + 1] = 0x30 + (Math.floor(rest / 10) % 10);
  text[prefixLength + 2] = 0x30 + (rest % 10);
  return true;
}

/** `new Date(ms).toISOString()` without the Date. `ms`: milliseconds since 1970. Throws RangeError for what is no time. */
export function isoTime(ms: number): string {
  return write(ms) ? text.toString('latin1', 0, length) : new Date(ms).toISOString();
}
