import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { bits, contextTag, der, derValues, oid, tag } from './der.ts';

/** A certificate and its key, both PEM. */
export interface Pair {
  readonly crt: string;
  readonly key: string;
}

/** From when until when a certificate is valid, ms since 1970. */
export interface Validity {
  readonly from: number;
  readonly to: number;
}

const subjectKeyId = '2.5.29.14';

/** Clocks of other machines may be late by this much, in ms. */
const lateMs = 3_600_000;

/** A new CA of its own. */
export function makeAuthority(name: string, { from, to }: Validity): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = nameOf(name);
  const id = keyId(publicKey);
  const extensions = [
    extension('2.5.29.19', true, der(tag.sequence, der(tag.boolean, Buffer.from([0xff])))),
    // keyCertSign and cRLSign.
    extension('2.5.29.15', true, der(tag.bitString, Buffer.from([1, 0x06]))),
    extension(subjectKeyId, false, der(tag.octetString, id)),
  ];
  return pairOf({ subject, issuer: subject, publicKey, extensions, validity: { from, to } }, privateKey, privateKey);
}

/** A certificate for host names, signed by a CA. It ends with the CA at the latest. Throws if the CA cannot be read. */
export function issueFor(hosts: readonly string[], authority: Pair, { from, to }: Validity): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { subject: issuer, id } = readAuthority(authority.crt);
  const extensions = [
    extension('2.5.29.19', true, der(tag.sequence)),
    // digitalSignature.
    extension('2.5.29.15', true, der(tag.bitString, Buffer.from([7, 0x80]))),
    // serverAuth.
    extension('2.5.29.37', false, der(tag.sequence, oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', false, der(tag.sequence, ...hosts.map((host) => der(contextTag(2, false), Buffer.from(host, 'ascii'))))),
    extension(subjectKeyId, false, der(tag.octetString, keyId(publicKey))),
    ...(id === null ? [] : [extension('2.5.29.35', false, der(tag.sequence, der(contextTag(0, false), id)))]),
  ];
  const validity = { from, to: Math.min(to, validityOf(authority.crt).to) };
  return pairOf({ subject: nameOf(hosts[0] ?? ''), issuer, publicKey, extensions, validity }, createPrivateKey(authority.key), privateKey);
}

/** Throws if the text is no certificate. */
export function validityOf(crt: string): Validity {
  const { validFrom, validTo } = new X509Certificate(crt);
  return { from: Date.parse(validFrom), to: Date.parse(validTo) };
}

interface Content {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly validity: Validity;
}

function pairOf({ subject, issuer, publicKey, extensions, validity }: Content, signer: KeyObject, own: KeyObject): Pair {
  const serial = randomBytes(16);
  // Positive, and without needless zeros.
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  const algorithm =
    signer.asymmetricKeyType === 'rsa'
      ? der(tag.sequence, oid('1.2.840.113549.1.1.11'), der(tag.null))
      : der(tag.sequence, oid('1.2.840.10045.4.3.2'));
  const signed = der(
    tag.sequence,
    der(contextTag(0, true), der(tag.integer, Buffer.from([2]))),
    der(tag.integer, serial),
    algorithm,
    issuer,
    der(tag.sequence, time(validity.from - lateMs), time(validity.to)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(contextTag(3, true), der(tag.sequence, ...extensions)),
  );
  const whole = der(tag.sequence, signed, algorithm, bits(sign('sha256', signed, signer)));
  return { crt: pem('CERTIFICATE', whole), key: own.export({ type: 'pkcs8', format: 'pem' }) as string };
}

function pem(what: string, bytes: Buffer): string {
  return `-----BEGIN ${what}-----\n${bytes.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END ${what}-----\n`;
}

/** A common name alone. */
function nameOf(name: string): Buffer {
  const attribute = der(tag.sequence, oid('2.5.4.3'), der(tag.utf8String, Buffer.from(name.slice(0, 64), 'utf8')));
  return der(tag.sequence, der(tag.set, attribute));
}

function time(at: number): Buffer {
  const digits = new Date(at)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
  return Number(digits.slice(0, 4)) < 2050 ? der(tag.utcTime, Buffer.from(digits.slice(2))) : der(tag.generalizedTime, Buffer.from(digits));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return der(tag.sequence, oid(id), ...(critical ? [der(tag.boolean, Buffer.from([0xff]))] : []), der(tag.octetString, value));
}

function keyId(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

/** The subject of a CA's certificate as it is written there, and its key's id; null if it has none. */
function readAuthority(crt: string): { readonly subject: Buffer; readonly id: Buffer | null } {
  const [whole] = derValues(new X509Certificate(crt).raw);
  const [signed] = derValues(whole!.body);
  // version, serial, algorithm, issuer, validity, subject, key, extensions
  const fields = derValues(signed!.body);
  const extensions = fields.find(({ tag: of }) => of === contextTag(3, true));
  const list = extensions === undefined ? [] : derValues(derValues(extensions.body)[0]!.body);
  const found = list.map(({ body }) => derValues(body)).find(([id]) => id!.whole.equals(oid(subjectKeyId)));
  const value = found?.at(-1);
  return { subject: fields[5]!.whole, id: value === undefined ? null : derValues(value.body)[0]!.body };
}
