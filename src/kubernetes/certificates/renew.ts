import { createPrivateKey, X509Certificate } from 'node:crypto';
import { issueFor, makeAuthority, validityOf, type Pair } from './issue.ts';

/** What a release has certificates for. */
export const certificateNames = ['webhook', 'egress'] as const;
export type CertificateName = (typeof certificateNames)[number];

/** What is wanted: host names of each certificate; absent: none is needed. */
export interface Wanted {
  readonly authority: string;
  readonly hosts: Readonly<Partial<Record<CertificateName, readonly string[]>>>;
  /** Validity of certificates, in ms. */
  readonly certificateMs: number;
  /** Validity of a CA, in ms. */
  readonly authorityMs: number;
}

/**
 * The data of the release's Secret. `ca`: the CA that signs. `next`: the one that will, which new pods trust already. `old.crt`: the one
 * before, which serves nobody any more but those whose certificates it has signed.
 */
export type CertificateData = Readonly<Record<string, string>>;

/** Of a CA's life: when its successor is made, and when that begins to sign. Pods that start between them trust both. */
const nextAt = 0.5;
const promoteAt = 0.9;
/** Of a certificate's life: when it is renewed. */
const renewAt = 2 / 3;

const lived = (crt: string, now: number): number => {
  const { from, to } = validityOf(crt);
  return (now - from) / (to - from);
};

/** The same object if nothing is to be done. `kept`: a CA of an older version of the chart, which is taken in place of a new one. */
export async function renewed(before: CertificateData, wanted: Wanted, kept: Pair | null, now: number): Promise<CertificateData> {
  let data = await withAuthority(before, wanted, kept, now);
  const authority = pairOf(data, 'ca')!;
  for (const [name, hosts] of Object.entries(wanted.hosts)) {
    const current = pairOf(data, name);
    if (current !== null && holds(current, hosts, authority, now)) continue;
    data = withPair(data, name, await issueFor(hosts, authority, { from: now, to: now + wanted.certificateMs }));
  }
  return data;
}

/** PEM of all CAs that are to be trusted, the signing one first. */
export function bundleOf(data: CertificateData): string {
  return ['ca.crt', 'next.crt', 'old.crt'].map((key) => data[key] ?? '').join('');
}

/** A certificate and its key; null if one is missing or cannot be read. */
export function pairOf(data: CertificateData, name: string): Pair | null {
  const [crt, key] = [data[`${name}.crt`], data[`${name}.key`]];
  if (crt === undefined || key === undefined) return null;
  try {
    return new X509Certificate(crt).checkPrivateKey(createPrivateKey(key)) ? { crt, key } : null;
  } catch {
    return null;
  }
}

async function withAuthority(before: CertificateData, wanted: Wanted, kept: Pair | null, now: number): Promise<CertificateData> {
  const make = (): Promise<Pair> => makeAuthority(wanted.authority, { from: now, to: now + wanted.authorityMs });
  const current = pairOf(before, 'ca');
  const next = pairOf(before, 'next');
  if (current === null) return withPair(before, 'ca', kept !== null && lived(kept.crt, now) < 1 ? kept : await make());
  const age = lived(current.crt, now);
  if (age > promoteAt && next !== null) {
    return { ...withPair(without(before, 'next.crt', 'next.key'), 'ca', next), 'old.crt': current.crt };
  }
  if (age >= 1) return withPair(before, 'ca', await make());
  const old = before['old.crt'];
  if (old !== undefined && lived(old, now) >= 1) return withAuthority(without(before, 'old.crt'), wanted, kept, now);
  return age > nextAt && next === null ? withPair(before, 'next', await make()) : before;
}

const without = (data: CertificateData, ...keys: readonly string[]): CertificateData =>
  Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)));

const withPair = (data: CertificateData, name: string, { crt, key }: Pair): CertificateData => ({
  ...data,
  [`${name}.crt`]: crt,
  [`${name}.key`]: key,
});

function holds({ crt }: Pair, hosts: readonly string[], authority: Pair, now: number): boolean {
  const certificate = new X509Certificate(crt);
  const names = (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''));
  return lived(crt, now) < renewAt && hosts.join() === names.join() && certificate.verify(new X509Certificate(authority.crt).publicKey);
}
