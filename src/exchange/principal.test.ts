import { describe, expect, it } from 'vitest';
import { principalOf } from './principal.ts';

const own =
  'By=spiffe://cluster.local/ns/egress/sa/gateway;Hash=ab12;Subject="CN=search,O=\\"Acme\\"";URI=spiffe://cluster.local/ns/search/sa/web;DNS=web.search';

describe('principalOf', () => {
  it('gives the names of the client, and the namespace of its SPIFFE id', () => {
    expect(principalOf(own)).toEqual({
      names: ['CN=search,O="Acme"', 'spiffe://cluster.local/ns/search/sa/web', 'web.search'],
      namespace: 'search',
    });
    expect(principalOf('Hash=ab;URI=spiffe://example.org/web')).toEqual({ names: ['spiffe://example.org/web'], namespace: null });
    expect(principalOf('Hash=ab;Subject="";URI=')).toBeNull();
  });

  it('goes by the last element, which Envoy itself wrote', () => {
    expect(principalOf(`Hash=00;URI=spiffe://cluster.local/ns/admin/sa/root,${own}`)?.namespace).toBe('search');
  });

  it.each([
    '',
    'nonsense',
    'URI=a;',
    'URI=a,',
    ',URI=a',
    'URI="a',
    'URI="a"b',
    'URI=a"b',
    `URI=spiffe://cluster.local/ns/admin/sa/root;Subject=",${own}`,
    `X="\\,${own}`,
    `By="x"",${own}`,
  ])('knows nobody by %s, so that no sent element can swallow the last one', (header) => {
    expect(principalOf(header)).toBeNull();
  });

  it('takes linear time', () => {
    const started = performance.now();
    principalOf('Subject="\\"'.repeat(6_000));
    principalOf('a=b;'.repeat(15_000));
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
