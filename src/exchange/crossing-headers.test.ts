import { expect, test } from 'vitest';
import { crossingPath, ownHeadersOf, removedNames } from './crossing-headers.ts';

const sent: readonly (readonly [string, string])[] = [
  [':path', '/v1/chat/completions'],
  [':authority', 'gw'],
  ['content-type', 'application/json'],
  ['user-agent', 'sdk'],
  ['traceparent', '00-1'],
  ['x-envoy-attempt-count', '1'],
  ['x-sluice-chain', 'gate'],
  ['authorization', 'canary'],
  ['proxy-authorization', 'canary'],
  ['cookie', 'canary'],
  ['ocp-apim-subscription-key', 'canary'],
  ['x-amz-security-token', 'canary'],
  ['x-customer-secret', 'canary'],
  ['openai-organization', 'canary'],
  ['x-forwarded-client-cert', 'canary'],
  ['anthropic-beta', 'b'],
];
const headers = { get: (name: string) => sent.find(([one]) => one === name)?.[1], entries: () => sent };

test('what is not known to be harmless stays behind when a request crosses', () => {
  const own = ownHeadersOf(headers);
  const gone = removedNames(own, ['api-key'], [['authorization', 'Bearer gateway']]);
  const left = sent.filter(([name, value]) => value === 'canary' && !gone.includes(name));
  // Set to the gateway's own.
  expect(left.map(([name]) => name)).toEqual(['authorization']);
  expect(gone).toContain('api-key');
  for (const name of [':path', 'content-type', 'user-agent', 'traceparent', 'x-sluice-chain', 'anthropic-beta'])
    expect(gone).not.toContain(name);
  // What another API has no use for can be put back.
  expect(own).toContainEqual(['anthropic-beta', 'b']);
});

test.each([
  ['/v1/x', '/v1/x'],
  ['/v1/x?key=k', '/v1/x'],
  ['/v1/x?alt=sse&key=k&access_token=t', '/v1/x?alt=sse'],
  ['/v1/x?api-version=1&sig=s&beta=true', '/v1/x?api-version=1&beta=true'],
])('%s crosses as %s', (path, crossed) => expect(crossingPath(path)).toBe(crossed));
