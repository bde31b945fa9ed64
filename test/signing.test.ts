import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import { allWell, ScriptedProvider, status, well, type Behaviour } from './support/scripted-provider.ts';
import { signatureFault } from './support/sigv4.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-signing-'));
const secrets = new Map([['AKIDGATEWAY', 'secret+of/the/gateway']]);
const providers = {
  openai: new ScriptedProvider(),
  anthropic: new ScriptedProvider(),
  bedrock: new ScriptedProvider(),
  azure: new ScriptedProvider(),
};
let stack: Stack;

/** Answers only what AWS would answer. */
const aws: Behaviour = (got, response, answer) => {
  const fault = signatureFault({ method: 'POST', path: got.path, headers: got.headers, body: got.body }, secrets);
  return fault === null ? answer() : status(403, { message: fault })(got, response, answer);
};

beforeAll(async () => {
  writeFileSync(
    join(folder, 'aws'),
    '[default]\naws_access_key_id = AKIDGATEWAY\naws_secret_access_key = secret+of/the/gateway\naws_session_token = session\n',
  );
  writeFileSync(join(folder, 'entra'), 'token-of-entra\n');
  const bedrock = await providers.bedrock.listen();
  const signing = `signing: { aws: { service: bedrock, region: eu-central-1, credentialsFile: "${join(folder, 'aws')}" } }`;
  const policy = `
version: 1
catalog:
  overrides:
    amazon: { 'openai.gpt-oss-120b-1:0': { input: 0.15, output: 0.6, contextWindow: 128000, maxOutput: 16384, mode: chat, capabilities: { tools: true } } }
providers:
  openai: { endpoint: "${await providers.openai.listen()}" }
  anthropic: { endpoint: "${await providers.anthropic.listen()}", hosts: [api.anthropic.com] }
  bedrock: { dialect: bedrock, endpoint: "${bedrock}", pathPrefix: /bedrock, ${signing} }
  bedrock-chat: { dialect: openai, endpoint: "${bedrock}/openai", pathPrefix: /bedrock-chat, catalog: amazon, ${signing} }
  azure: { dialect: azure-openai, endpoint: "${await providers.azure.listen()}", deployments: { nano: gpt-4.1-nano }, credentialFile: "${join(folder, 'entra')}", credentialType: bearer }
defaults:
  allowProviders: [bedrock-chat, azure]
  candidates: { simple: [openai/gpt-4.1-nano, anthropic/claude-haiku-4-5], standard: [openai/gpt-4.1-mini, anthropic/claude-haiku-4-5], complex: [openai/gpt-4.1, anthropic/claude-sonnet-4-6] }
  fallback: { tiers: { simple: ['bedrock-chat/openai.gpt-oss-120b-1:0', openai/gpt-4.1-mini] }, on: [server-error, key-dead] }
`;
  stack = new Stack({ policy, endpoint: null });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all(Object.values(providers).map((provider) => provider.close()));
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  allWell(Object.values(providers));
  providers.bedrock.behaviour = aws;
});

const question = { model: 'gpt-4.1', messages: [{ role: 'user' as const, content: 'What is a CDN?' }] };

describe('requests that Envoy signs for AWS', () => {
  it('are signed as they come, without the key that the app sent', async () => {
    const response = await fetch(`${stack.url}/bedrock/model/anthropic.claude-haiku-4-5%3A0/invoke`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer none', 'x-api-key': 'sk-app' },
      body: '{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"messages":[]}',
    });
    expect(
      providers.bedrock.got.map((got) => signatureFault({ method: 'POST', path: got.path, headers: got.headers, body: got.body }, secrets)),
    ).toEqual([null]);
    expect(providers.bedrock.got[0]!.path).toBe('/model/anthropic.claude-haiku-4-5%3A0/invoke');
    expect(providers.bedrock.got[0]!.headers).toMatchObject({ 'x-amz-security-token': 'session', host: '127.0.0.1' });
    expect(JSON.stringify(providers.bedrock.got[0]!.headers)).not.toContain('sk-app');
    expect(response.status).not.toBe(403);
  });

  it('are signed as Sluice has rewritten them, whole and streamed, and nothing of the signature goes to the next target', async () => {
    const client = new OpenAI({ apiKey: 'sk-app', baseURL: `${stack.url}/v1`, maxRetries: 0 });
    providers.openai.behaviour = status(500);
    expect((await client.chat.completions.create(question)).choices[0]?.message.content).toContain('plausible');
    let text = '';
    for await (const chunk of await client.chat.completions.create({ ...question, stream: true }))
      text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toContain('plausible');
    expect(providers.bedrock.got.map(({ path, model }) => [path, model])).toEqual([
      ['/openai/v1/chat/completions', 'openai.gpt-oss-120b-1:0'],
      ['/openai/v1/chat/completions', 'openai.gpt-oss-120b-1:0'],
    ]);
    expect(JSON.stringify(providers.bedrock.got.map(({ headers }) => headers))).not.toContain('sk-app');
    providers.openai.behaviour = (got, response, answer) => (got.model === 'gpt-4.1-nano' ? status(500) : well)(got, response, answer);
    providers.bedrock.behaviour = status(500);
    providers.openai.got.length = 0;
    await client.chat.completions.create(question);
    expect(providers.openai.got.map(({ model, headers }) => [model, headers.authorization])).toEqual([
      ['gpt-4.1-nano', 'Bearer sk-app'],
      ['gpt-4.1-mini', 'Bearer sk-app'],
    ]);
    expect(Object.keys(providers.openai.got[1]!.headers).filter((name) => name.startsWith('x-amz'))).toEqual([]);
  });

  it('are signed as they have been translated from another API', async () => {
    const body = { model: 'claude-sonnet-4-6', max_tokens: 100, messages: [{ role: 'user', content: 'What is a CDN?' }] };
    providers.anthropic.behaviour = status(529, { type: 'error', error: { type: 'overloaded_error', message: 'busy' } });
    const send = () =>
      fetch(`${stack.url}/v1/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': 'sk-app', 'anthropic-version': '2023-06-01' },
        body: JSON.stringify(body),
      });
    providers.anthropic.behaviour = status(500);
    const response = await send();
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ type: 'message', role: 'assistant' });
    expect(providers.bedrock.got).toHaveLength(1);
    expect(JSON.parse(providers.bedrock.got[0]!.body)).toMatchObject({ model: 'openai.gpt-oss-120b-1:0' });
  });
});

describe('the check itself', () => {
  it('takes the example of AWS’s reference, and nothing that was changed', () => {
    // get-vanilla-query-order-key-case of the public test suite for Signature Version 4.
    const headers = {
      host: 'example.amazonaws.com',
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    };
    const key = new Map([['AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY']]);
    const request = { method: 'GET', path: '/?Param2=value2&Param1=value1', headers, body: '' };
    expect(signatureFault(request, key)).toBeNull();
    expect(signatureFault({ ...request, body: 'x' }, key)).toBe('the signature does not hold');
    expect(signatureFault({ ...request, path: '/x' }, key)).toBe('the signature does not hold');
  });
});
