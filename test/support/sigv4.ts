import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface SignedRequest {
  readonly method: string;
  /** As it stands in the request line, with its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** Encodes as AWS does: RFC 3986's unreserved characters stand for themselves, nothing else. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * Checks a request's Signature Version 4 as AWS does (according to its reference): null if it is valid, otherwise the fault. The
 * path is encoded once more than received, as for every service except S3.
 */
export function signatureFault({ method, path, headers, body }: SignedRequest, credentials: ReadonlyMap<string, string>): string | null {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    );
  if (parts === null) return `no signature: ${headers.authorization ?? 'nothing'}`;
  const [, key = '', day = '', region = '', service = '', signed = '', signature = ''] = parts;
  const secret = credentials.get(key);
  if (secret === undefined) return `unknown key ${key}`;
  const hash = headers['x-amz-content-sha256'];
  if (hash !== undefined && hash !== sha256(body)) return 'the hash is not that of the body';
  const date = String(headers['x-amz-date'] ?? '');
  if (!date.startsWith(day)) return `dated ${date}`;
  const names = signed.split(';');
  for (const name of ['host', 'x-amz-date']) if (!names.includes(name)) return `${name} is not signed`;
  const [rawPath = '/', query = ''] = path.split('?');
  const canonical = [
    method,
    rawPath.split('/').map(encode).join('/'),
    query
      .split('&')
      .filter((pair) => pair !== '')
      .sort()
      .join('&'),
    ...names.map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .replace(/ +/g, ' ')}`,
    ),
    '',
    signed,
    sha256(body),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const mine = hmac(hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), 'aws4_request'), toSign);
  return timingSafeEqual(mine, Buffer.from(signature, 'hex')) ? null : 'the signature does not hold';
}
