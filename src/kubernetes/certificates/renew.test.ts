import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { selfSigned } from '../../../test/support/openssl.ts';
import { issueFor, makeAuthority, validityOf, type Pair } from './issue.ts';
import { authorityOf, bundleOf, pairOf, renewed, type CertificateData, type Wanted } from './renew.ts';

const day = 86_400_000;
const year = 365 * day;
const start = Date.parse('2026-01-01T00:00:00Z');
const wanted: Wanted = {
  authority: 'sluice CA',
  hosts: { webhook: ['sluice-webhook.llm.svc'], egress: ['api.openai.com', 'api.anthropic.com'] },
  later: ['api.mistral.ai'],
  certificateMs: 90 * day,
  authorityMs: 10 * year,
};
/** A CA that signs its certificates itself, as older charts made it. */
const olderAuthority = (): Pair => selfSigned('/CN=rel-sluice CA', ['-days', '3650']);

const made = await renewed({}, wanted, null, start);

const trusted = (data: CertificateData): X509Certificate[] =>
  bundleOf(data)
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .map((text) => new X509Certificate(text));
/** Whether a client that trusts these CAs alone believes what a server sends: its certificate, and that of the CA's key. */
const signedBy = (data: CertificateData, name: string, authorities: readonly X509Certificate[]): boolean => {
  const [own, ...chain] = data[`${name}.crt`]!.split(/(?<=-----END CERTIFICATE-----\n)(?=.)/s).map((text) => new X509Certificate(text));
  const believed = (by: X509Certificate): boolean => authorities.some(({ publicKey }) => by.verify(publicKey));
  return believed(own!) || chain.some((link) => own!.verify(link.publicKey) && believed(link));
};

describe('the certificates of a release', () => {
  it('are made once and left alone while they hold', async () => {
    expect(Object.keys(made).sort()).toEqual(['ca.chain', 'ca.crt', 'ca.key', 'egress.crt', 'egress.key', 'webhook.crt', 'webhook.key']);
    expect(await renewed(made, wanted, null, start + 59 * day)).toBe(made);
  });

  it('are renewed after two thirds of their life, by the same CA', async () => {
    const later = await renewed(made, wanted, null, start + 61 * day);
    expect(later['ca.crt']).toBe(made['ca.crt']);
    expect(later['webhook.crt']).not.toBe(made['webhook.crt']);
    expect(validityOf(later['egress.crt']!).to).toBe(start + 151 * day);
  });

  it('follow the host names that are wanted', async () => {
    const more = { ...wanted, hosts: { ...wanted.hosts, egress: ['api.openai.com', 'api.mistral.ai'] } };
    const later = await renewed(made, more, null, start);
    expect(later['webhook.crt']).toBe(made['webhook.crt']);
    expect(new X509Certificate(later['egress.crt']!).checkHost('api.mistral.ai')).toBe('api.mistral.ai');
  });

  it('of names that the CA may not sign for are of the next one, which new pods trust already; the others stay as running pods know them', async () => {
    const more = { ...wanted, hosts: { ...wanted.hosts, egress: ['api.openai.com', 'llm.example.com'] } };
    const later = await renewed(made, more, null, start + day);
    const before = trusted(made);
    expect(signedBy(later, 'egress', before)).toBe(true);
    expect(new X509Certificate(later['egress.crt']!).subjectAltName).toBe('DNS:api.openai.com');
    expect(new X509Certificate(later['added.crt']!).subjectAltName).toBe('DNS:llm.example.com');
    expect([signedBy(later, 'added', before), signedBy(later, 'added', trusted(later))]).toEqual([false, true]);
    expect(later['ca.crt']).toBe(made['ca.crt']);
    expect(await renewed(later, more, null, start + 2 * day)).toBe(later);
    // It takes over when any other would have, and lives as long after that.
    expect(Math.abs(validityOf(later['next.crt']!).to - (start + 15 * year))).toBeLessThan(day);
    const taken = await renewed(later, more, null, start + 9.1 * year);
    expect(new X509Certificate(taken['egress.crt']!).subjectAltName).toBe('DNS:api.openai.com, DNS:llm.example.com');
    expect(signedBy(taken, 'egress', trusted(later))).toBe(true);
    expect(taken['added.crt']).toBeUndefined();
    // Nobody asks for the name any more.
    expect((await renewed(later, wanted, null, start + 2 * day))['added.crt']).toBeUndefined();
  });

  it('keep a CA of an older chart', async () => {
    const kept = olderAuthority();
    const adopted = await renewed({}, wanted, kept, Date.now());
    expect(authorityOf(adopted, 'ca')).toEqual({ ...kept, chain: '' });
    expect(adopted['ca.chain']).toBeUndefined();
    expect(signedBy(adopted, 'egress', [new X509Certificate(kept.crt)])).toBe(true);
  });

  it('change to the next CA only after years in which every new pod trusted both', async () => {
    let data = made;
    // What a pod that starts in each half year trusts, for as long as such a pod may run: two fifths of a CA's life.
    const pods: { readonly born: number; readonly trusts: readonly X509Certificate[] }[] = [];
    const authorities = new Set<string>();
    for (let now = start; now < start + 25 * year; now += year / 3) {
      data = await renewed(data, wanted, null, now);
      authorities.add(data['ca.crt']!);
      pods.push({ born: now, trusts: trusted(data) });
      const running = pods.filter(({ born }) => now - born < 3.9 * year);
      for (const { trusts } of running) for (const name of ['webhook', 'egress']) expect(signedBy(data, name, trusts)).toBe(true);
      expect(trusted(data).length).toBeLessThanOrEqual(3);
    }
    expect(authorities.size).toBe(5);
  });

  it('give a pod that was never restarted two years of a CA of five', async () => {
    const five = { ...wanted, authorityMs: 5 * year };
    let data = await renewed({}, five, null, start);
    const first = trusted(data);
    let served = 0;
    for (let now = start; now < start + 5 * year; now += 30 * day) {
      data = await renewed(data, five, null, now);
      for (const name of ['ca', 'webhook', 'egress']) expect(validityOf(data[`${name}.crt`]!).to).toBeGreaterThan(now + 20 * day);
      if (signedBy(data, 'egress', first)) served = now - start;
    }
    expect(served / year).toBeGreaterThan(4.4);
    expect(served / year).toBeLessThan(5);
  });

  it('are made again where the Secret holds what cannot be read', async () => {
    const spoilt = { ...made, 'webhook.key': 'nonsense' };
    expect(pairOf(await renewed(spoilt, wanted, null, start), 'webhook')).not.toBeNull();
    const foreign = await issueFor(
      ['sluice-webhook.llm.svc'],
      await makeAuthority('other', { from: start, to: start + year }, ['sluice-webhook.llm.svc']),
      { from: start, to: start + year },
    );
    const later = await renewed({ ...made, 'webhook.crt': foreign.crt, 'webhook.key': foreign.key }, wanted, null, start);
    expect(signedBy(later, 'webhook', trusted(later))).toBe(true);
  });
});
