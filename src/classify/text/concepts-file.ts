import { fileURLToPath } from 'node:url';
import { SluiceError } from '../../lib/errors.ts';
import { Lexicon, type SavedLexicon } from '../lexicon.ts';

/** The words of `data/concepts` as one table: reading and hashing them would be a tenth of a second at every start. */
export const conceptsFile = fileURLToPath(new URL('../../../models/concepts-1.table', import.meta.url));

/**
 * A file of a lexicon: the magic, the header's length in bytes (32 bits, little-endian), the header as JSON, padded with spaces to a
 * multiple of 4 bytes with what is before it, then places (32 bits), checks and entries (16 bits each) and beginnings, little-endian.
 */
const magic = Buffer.from('SLUICEWORDS1\n');

interface Header {
  readonly names: readonly string[];
  readonly longestStem: number;
  readonly longestRun: number;
  readonly lists: readonly (readonly number[])[];
  readonly entries: number;
  readonly begins: number;
}

/** The bytes of a lexicon's file; the same words give the same bytes. */
export function encodeLexicon({ names, begins, longestStem, longestRun, table }: SavedLexicon): Buffer {
  const { places, checks, entries, lists } = table;
  const header: Header = { names, longestStem, longestRun, lists, entries: entries.length, begins: begins.length };
  const json = JSON.stringify(header);
  const padded = Buffer.from(json + ' '.repeat((4 - ((magic.length + 4 + json.length) % 4)) % 4));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(padded.length);
  const parts = [places, checks, entries, begins].map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  return Buffer.concat([magic, length, padded, ...parts]);
}

/** Reads a lexicon's file. Throws SLUICE_MODEL_INVALID, naming `where`, if it is not whole. */
export function decodeLexicon(bytes: Buffer, where: string): Lexicon {
  const from = magic.length + 4;
  const headerBytes = bytes.length < from ? 0 : bytes.readUInt32LE(magic.length);
  const at = from + headerBytes;
  const bad = (): SluiceError => new SluiceError('SLUICE_MODEL_INVALID', 'This is not a table of words of this version.', { where });
  if (!bytes.subarray(0, magic.length).equals(magic) || at > bytes.length) throw bad();
  const header = JSON.parse(bytes.toString('utf8', from, at)) as Header;
  const { entries, begins } = header;
  if (bytes.length !== at + 8 * entries + begins) throw bad();
  // A copy begins at a place where numbers may; only `begins`, copied again, lives on.
  const { buffer } = new Uint8Array(bytes.subarray(at));
  return Lexicon.restore({
    ...header,
    begins: new Uint8Array(buffer, 8 * entries).slice(),
    table: {
      lists: header.lists,
      places: new Int32Array(buffer, 0, entries),
      checks: new Uint16Array(buffer, 4 * entries, entries),
      entries: new Uint16Array(buffer, 6 * entries, entries),
    },
  });
}
