import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';

const secret = /project[\s\p{Z}]*zeus/iu;

/**
 * Whether somebody who tries can read the text in a request: in the bytes, decoded, unescaped, folded, from base64. Written apart from
 * Sluice's own search, which it checks.
 */
export function readable(raw: Buffer, headers: Readonly<Record<string, string | readonly string[] | undefined>> = {}, path = ''): boolean {
  const encodings = (headers['content-encoding'] ?? '').toString().split(',');
  return [raw, ...decodedBy(raw, encodings.length)].some((bytes) => texts(bytes).some((text) => inText(`${text} ${path}`, 3)));
}

function decodedBy(raw: Buffer, rounds: number): Buffer[] {
  if (rounds === 0) return [];
  return [gunzipSync, inflateSync, inflateRawSync, brotliDecompressSync, zstdDecompressSync].flatMap((decode) => {
    try {
      const bytes = decode(raw);
      return [bytes, ...decodedBy(bytes, rounds - 1)];
    } catch {
      return [];
    }
  });
}

function texts(bytes: Buffer): string[] {
  const even = bytes.subarray(0, bytes.length - (bytes.length % 2));
  const wide = bytes.includes(0)
    ? [even.toString('utf16le'), Buffer.from(even).swap16().toString('utf16le'), bytes.toString('latin1').replaceAll('\0', '')]
    : [];
  return [bytes.toString('utf8'), bytes.toString('latin1'), ...wide];
}

function inText(text: string, rounds: number): boolean {
  const plain = text
    .replace(/[\u{e0020}-\u{e007e}]/gu, (tag) => String.fromCharCode(tag.codePointAt(0)! - 0xe0000))
    .normalize('NFKC')
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '');
  if (secret.test(plain)) return true;
  if (rounds === 0) return false;
  const next = [
    text
      .replace(/\\u([0-9a-f]{4})/gi, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
      .replace(/\\(["\\/])/g, '$1'),
    text.replace(/\\[nrt]/g, ' '),
    text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString()),
    text.replaceAll('+', ' '),
    joined(text),
    ...[...text.replaceAll('\\n', '').matchAll(/[A-Za-z0-9+/_-]{12,}/g)].flatMap(([run]) => texts(Buffer.from(run, 'base64'))),
  ];
  return next.some((other) => other !== text && inText(other, rounds - 1));
}

/** Text parts one after the other, as a model reads them. */
function joined(text: string): string {
  return text.replace(/"\s*\}\s*,\s*\{[^{}]*?"text"\s*:\s*"/g, '');
}
