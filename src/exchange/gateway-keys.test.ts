import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BodyPlan } from './plans.ts';
import { bodyOf, chatBody, chatHeaders, forwarded, headersOf, pipelineOf } from './testing/pipeline.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-pipeline-'));
const keyFile = join(folder, 'key');

beforeAll(() => writeFileSync(keyFile, 'gateway-key\n'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('apps without keys', () => {
  const canaries = { authorization: 'Bearer canary', 'x-api-key': 'canary', cookie: 'canary', 'x-customer-key': 'canary' };
  const policy = (more = ''): string =>
    `version: 1\nproviders: {openai: {credentialFile: "${keyFile}"}}\ndefaults: {credentials: gateway, tiers: []${more}}\n`;
  /** What of the app's keys is left when the changes are made, and the key that goes. */
  const sent = (
    changes: { readonly set: readonly (readonly [string, string])[]; readonly remove: readonly string[] } | undefined,
  ): readonly [string | undefined, readonly string[]] => {
    const set = new Map(changes?.set);
    return [set.get('authorization'), Object.keys(canaries).filter((name) => !set.has(name) && changes?.remove.includes(name) !== true)];
  };

  it('get the gateway’s key at their own provider, and theirs never leaves', async () => {
    for (const more of ['', ', fallback: {models: {gpt-5.1: [openai/gpt-5-mini]}}']) {
      const { pipeline } = await pipelineOf(policy(more));
      const headers = headersOf({ ...chatHeaders, ...canaries, ':path': '/openai-api/v1/chat/completions?key=canary' });
      const plan = bodyOf(pipeline.requestHeaders(headers, false), chatBody());
      expect(sent((plan as BodyPlan & { kind: 'forward' }).headers)).toEqual(['Bearer gateway-key', []]);
      expect(forwarded(plan).headers[':path']).toMatch(/\/v1\/chat\/completions$/);
      pipeline.close();
    }
  });

  it('get it for what is not read, too', async () => {
    const { pipeline } = await pipelineOf(policy());
    const heads = [
      { ':method': 'GET', ':path': '/v1/models' },
      { ':path': '/v1/unknown' },
      { ':path': '/v1/files', 'content-type': 'multipart/form-data' },
      { ':method': 'GET', ':path': '/v1/realtime', upgrade: 'websocket' },
      { 'content-type': 'text/plain' },
    ];
    for (const head of heads) {
      const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...canaries, ...head }), false);
      expect([head, plan.kind === 'pass' ? sent(plan.headers) : plan]).toEqual([head, ['Bearer gateway-key', []]]);
    }
    const broken = bodyOf(pipeline.requestHeaders(headersOf({ ...chatHeaders, ...canaries }), false), 'no json');
    expect(sent((broken as BodyPlan & { kind: 'forward' }).headers)).toEqual(['Bearer gateway-key', []]);
    pipeline.close();
  });

  it('are refused where there is no key', async () => {
    const { pipeline, records } = await pipelineOf(policy().replace('openai: {', 'mistral: {'));
    expect(pipeline.requestHeaders(headersOf(chatHeaders), false)).toMatchObject({ kind: 'respond', status: 503 });
    expect(records).toMatchObject([{ passReason: 'no-gateway-key', outcome: 'blocked' }]);
    pipeline.close();
  });
});
