import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { issueFor, makeAuthority, validityOf } from './issue.ts';
import { bundleOf, pairOf, renewed, type CertificateData, type Wanted } from './renew.ts';

const day = 86_400_000;
const year = 365 * day;
const start = Date.parse('2026-01-01T00:00:00Z');
const wanted: Wanted = {
  authority: 'sluice CA',
  hosts: { webhook: ['sluice-webhook.llm.svc'], egress: ['api.openai.com', 'api.anthropic.com'] },
  certificateMs: 90 * day,
  authorityMs: 10 * year,
};
const made = await renewed({}, wanted, null, start);

const trusted = (data: CertificateData): X509Certificate[] =>
  bundleOf(data)
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .map((text) => new X509Certificate(text));
const signedBy = (data: CertificateData, name: string, authorities: readonly X509Certificate[]): boolean =>
  authorities.some(({ publicKey }) => new X509Certificate(data[`${name}.crt`]!).verify(publicKey));

describe('the certificates of a release', () => {
  it('are made once and left alone while they hold', async () => {
    expect(Object.keys(made).sort()).toEqual(['ca.crt', 'ca.key', 'egress.crt', 'egress.key', 'webhook.crt', 'webhook.key']);
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

  it('keep a CA of an older chart', async () => {
    const kept = await makeAuthority('rel-sluice CA', { from: start - year, to: start + year });
    const adopted = await renewed({}, wanted, kept, start);
    expect(pairOf(adopted, 'ca')).toEqual(kept);
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
    const foreign = await issueFor(['sluice-webhook.llm.svc'], await makeAuthority('other', { from: start, to: start + year }), {
      from: start,
      to: start + year,
    });
    const later = await renewed({ ...made, 'webhook.crt': foreign.crt, 'webhook.key': foreign.key }, wanted, null, start);
    expect(signedBy(later, 'webhook', trusted(later))).toBe(true);
  });
});
