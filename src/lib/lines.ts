import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { limits } from './limits.ts';
import { thrown } from './read-file.ts';

/**
 * The lines of a UTF-8 byte stream, ended only by LF or CRLF: JSON strings may contain U+2028 and U+2029, at which `node:readline` would
 * split. A line of more than `limits.lineUnits` units is skipped, because Sluice writes none. Throws the stream's errors.
 */
export async function* linesOf(stream: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let skipping = false;
  for await (const chunk of stream) {
    const parts = (typeof chunk === 'string' ? chunk : decoder.write(chunk)).split('\n');
    for (const [at, part] of parts.entries()) {
      if (!skipping) rest += part;
      if (rest.length > limits.lineUnits) {
        skipping = true;
        rest = '';
      }
      if (at === parts.length - 1) break;
      yield skipping ? '' : rest.endsWith('\r') ? rest.slice(0, -1) : rest;
      rest = '';
      skipping = false;
    }
  }
  rest += decoder.end();
  if (rest !== '' && !skipping) yield rest;
}

/** The lines of a file, plain or `.gz`; `-`: stdin. Throws SLUICE_FILE_UNREADABLE. */
export async function* linesOfFile(file: string): AsyncGenerator<string> {
  try {
    yield* linesOf(file === '-' ? process.stdin : bytesOf(file));
  } catch (error) {
    throw thrown(file, error);
  }
}

function bytesOf(file: string): AsyncIterable<Buffer> {
  const raw = createReadStream(file);
  if (!file.endsWith('.gz')) return raw;
  const unpacked = createGunzip();
  raw.on('error', (error) => unpacked.destroy(error)).pipe(unpacked);
  return unpacked;
}
