import type { Readable, Writable } from 'node:stream';
import { limits } from '../../lib/limits.ts';

const newline = 10;

/** Writes what one of several sources says to `to` by whole lines, so that lines of several never mix. Longer lines than the limit are cut. */
export function forwardLines(from: Readable, to: Writable): void {
  let rest: Buffer = Buffer.alloc(0);
  const write = (bytes: Buffer): void => {
    if (!to.write(bytes)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  };
  from.on('data', (bytes: Buffer) => {
    const last = bytes.lastIndexOf(newline);
    if (last === -1 && rest.length + bytes.length <= limits.workerLineBytes) {
      rest = Buffer.concat([rest, bytes]);
      return;
    }
    write(Buffer.concat([rest, last === -1 ? Buffer.from('\n') : bytes.subarray(0, last + 1)]));
    rest = last === -1 ? Buffer.alloc(0) : Buffer.from(bytes.subarray(last + 1));
  });
  from.on('end', () => {
    if (rest.length > 0) write(Buffer.concat([rest, Buffer.from('\n')]));
  });
}
