import 'reflect-metadata';
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as Certificate,
  X509CertificateGenerator,
  type X509CertificateCreateParams,
} from '@peculiar/x509';
import { nameConstraints, nameConstraintsId, permittedIn } from './name-constraints.ts';

/** A certificate and its key, both PEM. */
export interface Pair {
  readonly crt: string;
  readonly key: string;
}

/** A CA: `crt` is what others trust. */
export interface Authority extends Pair {
  /** The certificate of `key`, where that is not `crt`: it goes with each certificate that is signed. Else empty. */
  readonly chain: string;
}

/** From when until when a certificate is valid, ms since 1970. */
export interface Validity {
  readonly from: number;
  readonly to: number;
}

/** Clocks of other machines may be late by this much, in ms. */
const lateMs = 3_600_000;

const elliptic = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;

/**
 * A new CA that can sign for these host names and those below them alone. What others trust is a root without limits, because Java does not
 * look for them there. Its key signs one certificate, the limited one of the key that is kept, and is then forgotten.
 */
export async function makeAuthority(name: string, validity: Validity, hosts: readonly string[]): Promise<Authority> {
  const generated = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(elliptic, true, ['sign', 'verify']);
  const [rootKeys, keys] = [await generated(), await generated()];
  const usage = new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true);
  const issuer = subjectOf(name);
  const signer = { key: rootKeys.privateKey, algorithm: elliptic };
  const rootId = await SubjectKeyIdentifierExtension.create(rootKeys.publicKey);
  const rootExtensions = [new BasicConstraintsExtension(true, undefined, true), usage, rootId];
  const root = await pair({ subject: issuer, issuer, extensions: rootExtensions, ...times(validity) }, rootKeys, signer);
  const extensions = [
    new BasicConstraintsExtension(true, 0, true),
    usage,
    nameConstraints(hosts),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    new AuthorityKeyIdentifierExtension(rootId.keyId),
  ];
  const subject = subjectOf(`${name.slice(0, 50)}, limited`);
  const { crt: chain, key } = await pair({ subject, issuer, extensions, ...times(validity) }, keys, signer);
  return { crt: root.crt, key, chain };
}

/** Whether a CA may sign for a host; one of an older version, or of somebody else, may sign for all. */
export function permits({ chain }: Authority, host: string): boolean {
  if (chain === '') return true;
  const extension = new Certificate(chain).getExtension(nameConstraintsId);
  const permitted = extension === null ? [] : permittedIn(new Uint8Array(extension.value));
  return permitted.some((name) => host === name || host.endsWith(`.${name}`));
}

/** The certificate whose key signs. */
export function signerOf({ chain, crt }: Authority): string {
  return chain === '' ? crt : chain;
}

/** A certificate for host names, signed by a CA. It ends with the CA at the latest. Rejects if the CA cannot be read. */
/** A certificate of a CA, followed by that of the CA's key where clients do not know it. */
export async function issueFor(hosts: readonly string[], authority: Authority, { from, to }: Validity): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(elliptic, true, ['sign', 'verify']);
  const issuer = new Certificate(signerOf(authority));
  const id = issuer.getExtension(SubjectKeyIdentifierExtension)?.keyId;
  const extensions = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns', value }))),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ...(id === undefined ? [] : [new AuthorityKeyIdentifierExtension(id)]),
  ];
  const validity = { from, to: Math.min(to, validityOf(authority.crt).to) };
  const subject = subjectOf(hosts[0] ?? '');
  const { crt, key } = await pair({ subject, issuer: issuer.subjectName, extensions, ...times(validity) }, keys, await keyOf(authority));
  return { crt: crt + authority.chain, key };
}

/** Throws if the text is no certificate. */
export function validityOf(crt: string): Validity {
  const { validFrom, validTo } = new X509Certificate(crt);
  return { from: Date.parse(validFrom), to: Date.parse(validTo) };
}

interface Signer {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: typeof elliptic | typeof rsa;
}

/** A CA's key: its own, or one that Helm made, which is RSA. */
async function keyOf({ key }: Pair): Promise<Signer> {
  const read = createPrivateKey(key);
  const algorithm = read.asymmetricKeyType === 'rsa' ? rsa : elliptic;
  const bytes = read.export({ type: 'pkcs8', format: 'der' });
  return { key: await webcrypto.subtle.importKey('pkcs8', bytes, algorithm, false, ['sign']), algorithm };
}

async function pair(
  content: Omit<X509CertificateCreateParams, 'publicKey' | 'signingKey'>,
  { publicKey, privateKey }: webcrypto.CryptoKeyPair,
  { key: signingKey, algorithm: signingAlgorithm }: Signer,
): Promise<Pair> {
  const certificate = await X509CertificateGenerator.create({ ...content, publicKey, signingKey, signingAlgorithm });
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey));
  const key = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' });
  return { crt: `${certificate.toString('pem').trimEnd()}\n`, key: key.toString() };
}

/** A common name alone; the standard allows 64 characters of it. */
function subjectOf(name: string): { CN: string[] }[] {
  return [{ CN: [name.slice(0, 64)] }];
}

function times({ from, to }: Validity): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(from - lateMs), notAfter: new Date(to) };
}
