import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';

/**
 * Bytes without one content-encoding: gzip, deflate, br or zstd, in lower case. Null for another one. `part`: more may follow, so what is
 * there is decoded. Throws for what cannot be decoded, and for more than `most` bytes.
 */
export function withoutEncoding(bytes: Buffer, encoding: string, most: number, part = false): Buffer | null {
  const bound = { maxOutputLength: most };
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return gunzipSync(bytes, part ? { ...bound, finishFlush: constants.Z_SYNC_FLUSH } : bound);
    case 'deflate': {
      const options = part ? { ...bound, finishFlush: constants.Z_SYNC_FLUSH } : bound;
      // RFC 9110 defines deflate as the zlib format; some send raw deflate.
      return (bytes[0]! & 0x0f) === 8 ? inflateSync(bytes, options) : inflateRawSync(bytes, options);
    }
    case 'br':
      return brotliDecompressSync(bytes, part ? { ...bound, finishFlush: constants.BROTLI_OPERATION_FLUSH } : bound);
    case 'zstd':
      return zstdDecompressSync(bytes, part ? { ...bound, finishFlush: constants.ZSTD_e_flush } : bound);
    default:
      return null;
  }
}
