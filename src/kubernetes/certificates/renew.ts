import { createPrivateKey, X509Certificate } from 'node:crypto';
import { issueFor, makeAuthority, permits, signerOf, validityOf, type Authority, type Pair } from './issue.ts';

/** What a release has certificates for. */
export const certificateNames = ['webhook', 'egress'] as const;
export type CertificateName = (typeof certificateNames)[number];

/** What is wanted: host names of each certificate; absent: none is needed. */
export interface Wanted {
  readonly authority: string;
  readonly hosts: Readonly<Partial<Record<CertificateName, readonly string[]>>>;
  /** Further host names that a new CA may sign for: those that may be wanted later. */
  readonly later: readonly string[];
  /** Validity of certificates, in ms. */
  readonly certificateMs: number;
  /** Validity of a CA, in ms. */
  readonly authorityMs: number;
}

/**
 * The data of the release's Secret. `ca`: the CA that signs. `next`: the one that will, which new pods trust already. `old.crt`: the one
 * before, which serves nobody any more but those whose certificates it has signed. `added`: the certificate of names for which `ca` may not
 * sign and `next` may: only new pods call these names.
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
  const authority = authorityOf(data, 'ca')!;
  const hosts = Object.values(wanted.hosts).flat();
  if (hosts.some((host) => !permits(authority, host))) data = await withNext(data, wanted, now);
  const next = authorityOf(data, 'next');
  for (const { name, hosts: names, by } of certificatesOf(wanted, authority, next ?? authority)) {
    const current = pairOf(data, name);
    if (current !== null && holds(current, names, by, now)) continue;
    data = withPair(data, name, await issueFor(names, by, { from: now, to: now + wanted.certificateMs }));
  }
  const isAdded = wanted.hosts.egress?.some((host) => !permits(authority, host)) ?? false;
  return isAdded || data['added.crt'] === undefined ? data : without(data, 'added.crt', 'added.key');
}

/** Each certificate that is wanted, and the CA that signs it: the one that running pods trust, wherever it may. */
function certificatesOf(
  { hosts: { webhook, egress = [] } }: Wanted,
  authority: Authority,
  next: Authority,
): { readonly name: string; readonly hosts: readonly string[]; readonly by: Authority }[] {
  const [own, added] = [egress.filter((host) => permits(authority, host)), egress.filter((host) => !permits(authority, host))];
  return [
    // The API server trusts all of them at once.
    ...(webhook === undefined
      ? []
      : [{ name: 'webhook', hosts: webhook, by: webhook.every((host) => permits(authority, host)) ? authority : next }]),
    ...(egress.length === 0
      ? []
      : [own.length === 0 ? { name: 'egress', hosts: added, by: next } : { name: 'egress', hosts: own, by: authority }]),
    ...(added.length === 0 ? [] : [{ name: 'added', hosts: added, by: next }]),
  ];
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

/** A CA with its key; null if one is missing or cannot be read. */
export function authorityOf(data: CertificateData, name: 'ca' | 'next'): Authority | null {
  const [crt, chain = ''] = [data[`${name}.crt`], data[`${name}.chain`]];
  const pair = pairOf(chain === '' ? data : { ...data, [`${name}.crt`]: chain }, name);
  return pair === null || crt === undefined ? null : { crt, key: pair.key, chain };
}

async function withAuthority(before: CertificateData, wanted: Wanted, kept: Pair | null, now: number): Promise<CertificateData> {
  const current = authorityOf(before, 'ca');
  const next = authorityOf(before, 'next');
  if (current === null)
    return withMade(before, 'ca', kept !== null && lived(kept.crt, now) < 1 ? { ...kept, chain: '' } : await made(wanted, now));
  const age = lived(current.crt, now);
  if (age > promoteAt && next !== null) {
    return { ...withMade(without(before, 'next.crt', 'next.key', 'next.chain'), 'ca', next), 'old.crt': current.crt };
  }
  if (age >= 1) return withMade(before, 'ca', await made(wanted, now));
  const old = before['old.crt'];
  if (old !== undefined && lived(old, now) >= 1) return withAuthority(without(before, 'old.crt'), wanted, kept, now);
  return age > nextAt && next === null ? withMade(before, 'next', await made(wanted, now)) : before;
}

/** With a successor that may sign for all that is wanted. Made early, it lives longer: as long after the usual time as any. */
async function withNext(data: CertificateData, wanted: Wanted, now: number): Promise<CertificateData> {
  const next = authorityOf(data, 'next');
  if (next !== null && Object.values(wanted.hosts).every((hosts) => hosts.every((host) => permits(next, host)))) return data;
  const { from, to } = validityOf(data['ca.crt']!);
  return withMade(data, 'next', await made(wanted, now, Math.max(now, from + nextAt * (to - from))));
}

function made({ authority, authorityMs, hosts, later }: Wanted, now: number, begins = now): Promise<Authority> {
  const names = [...new Set([...Object.values(hosts).flat(), ...later])];
  return makeAuthority(authority, { from: now, to: begins + authorityMs }, names);
}

const without = (data: CertificateData, ...keys: readonly string[]): CertificateData =>
  Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)));

const withPair = (data: CertificateData, name: string, { crt, key }: Pair): CertificateData => ({
  ...data,
  [`${name}.crt`]: crt,
  [`${name}.key`]: key,
});

const withMade = (data: CertificateData, name: 'ca' | 'next', authority: Authority): CertificateData => ({
  ...withPair(without(data, `${name}.chain`), name, authority),
  ...(authority.chain === '' ? {} : { [`${name}.chain`]: authority.chain }),
});

function holds({ crt }: Pair, hosts: readonly string[], authority: Authority, now: number): boolean {
  const certificate = new X509Certificate(crt);
  const names = (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''));
  return (
    lived(crt, now) < renewAt && hosts.join() === names.join() && certificate.verify(new X509Certificate(signerOf(authority)).publicKey)
  );
}
