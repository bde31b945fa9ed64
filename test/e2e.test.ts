import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI, { AzureOpenAI } from 'openai';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { recordOf as recordAt } from './support/record.ts';
import { transportCases } from './support/transports.ts';

const policyFor = (endpoint: string): string => `
version: 1
providers:
  azure: { dialect: azure-openai, endpoint: "${endpoint}", hosts: [acme.openai.azure.com], deployments: { big: gpt-5.1, small: gpt-5-nano } }
sections:
  - { name: azure, match: { provider: [azure] }, candidates: { simple: [small], standard: [big], complex: [big] } }
  - { name: open, match: { workspace: [open] }, sensitivity: [] }
defaults:
  candidates:
    simple: [openai/gpt-5-nano, anthropic/claude-haiku-4-5, google/gemini-2.5-flash-lite]
    standard: [openai/gpt-5-mini, anthropic/claude-haiku-4-5, google/gemini-2.5-flash]
    complex: [openai/gpt-5.1, anthropic/claude-sonnet-4-6, google/gemini-2.5-pro]
  sensitivity:
    - { name: us-ssn, pattern: '\\b\\d{3}-\\d{2}-\\d{4}\\b', then: { block: 'Social security numbers may not leave.' } }
`;

describe.each(transportCases)('over $title', ({ transport, tcp }) => {
  const simulator = new ProviderSimulator();
  let stack: Stack;
  let policy: string;
  let openai: OpenAI;
  let anthropic: Anthropic;
  let google: GoogleGenAI;

  beforeAll(async () => {
    const endpoint = await simulator.listen();
    policy = policyFor(endpoint);
    stack = new Stack({ policy, endpoint, tcp, serve: ['--transport', transport] });
    await stack.start();
    openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${stack.url}/v1`, maxRetries: 0 });
    anthropic = new Anthropic({ apiKey: 'test', baseURL: stack.url, maxRetries: 0 });
    google = new GoogleGenAI({ apiKey: 'test', httpOptions: { baseUrl: stack.url } });
  });

  afterAll(async () => {
    await stack.stop();
    await simulator.close();
  });

  /** The record of a decision, once the answer has been read to its end. */
  const recordOf = (id: string): Promise<ExchangeRecord> => recordAt(stack.adminUrl, id);

  describe('a real client through a real Envoy', () => {
    it('has its OpenAI model rewritten, every other byte kept, and the answer accounted for exactly', async () => {
      const body =
        '{"messages":[{"role":"user","content":"What is a CDN? \\u00e9 {\\"model\\":\\"x\\"}"}],  "seed":12345678901234567890, "model" : "gpt-5.1","metadata":{"model":"mine"}}';
      const response = await fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test' },
        body,
      });
      expect(response.status).toBe(200);
      await response.json();
      expect(simulator.received.at(-1)?.body.toString()).toBe(body.replace('"gpt-5.1"', '"gpt-5-nano"'));
      expect(response.headers.get('x-sluice-model')).toBe('gpt-5-nano');
      expect(response.headers.get('x-sluice-requested-model')).toBe('gpt-5.1');
      expect(response.headers.get('x-sluice-tier')).toBe('simple');
      const record = await recordOf(response.headers.get('x-sluice-decision')!);
      expect(record).toMatchObject({
        requestedModel: 'gpt-5.1',
        servedModel: 'gpt-5-nano',
        answeredModel: 'gpt-5-nano',
        outcome: 'complete',
        status: 200,
      });
      const { usage } = record;
      // gpt-5-nano: $0.05 and $0.40 a million; gpt-5.1: $1.25 and $10.
      expect(record.cost).toEqual({
        known: true,
        usd: expect.closeTo((usage!.input * 0.05 + usage!.totalOutput * 0.4) / 1e6, 12) as number,
      });
      expect(record.baseline).toEqual({
        known: true,
        usd: expect.closeTo((usage!.input * 1.25 + usage!.totalOutput * 10) / 1e6, 12) as number,
      });
    });

    it('reads the usage of an OpenAI stream', async () => {
      const { data, response } = await openai.chat.completions
        .create({
          model: 'gpt-5.1',
          stream: true,
          stream_options: { include_usage: true },
          messages: [{ role: 'user', content: 'What is DNS?' }],
        })
        .withResponse();
      let last = 0;
      for await (const chunk of data) last = chunk.usage?.total_tokens ?? last;
      const record = await recordOf(response.headers.get('x-sluice-decision')!);
      expect(record).toMatchObject({ stream: true, outcome: 'complete', servedModel: 'gpt-5-nano', finishReason: 'stop' });
      expect(record.usage!.totalInput + record.usage!.totalOutput).toBe(last);
      expect(record.timing.firstTokenMs).toBeGreaterThan(0);
    });

    it('says that usage is unknown when a stream was not asked for it', async () => {
      const { data, response } = await openai.chat.completions
        .create({ model: 'gpt-5.1', stream: true, messages: [{ role: 'user', content: 'What is DNS?' }] })
        .withResponse();
      for await (const chunk of data) expect(chunk.model).toBe('gpt-5-nano');
      const record = await recordOf(response.headers.get('x-sluice-decision')!);
      expect(record).toMatchObject({
        outcome: 'complete',
        usage: null,
        usageUnknown: 'stream-not-asked',
        cost: { known: false, reason: 'usage' },
      });
    });

    it('serves the Responses API, streamed, and embeddings without touching their model', async () => {
      const { data, response } = await openai.responses.create({ model: 'gpt-5.1', input: 'What is a CDN?', stream: true }).withResponse();
      const types: string[] = [];
      for await (const event of data) types.push(event.type);
      expect(types.at(-1)).toBe('response.completed');
      expect(await recordOf(response.headers.get('x-sluice-decision')!)).toMatchObject({
        api: 'openai-responses',
        servedModel: 'gpt-5-nano',
        outcome: 'complete',
      });
      const embedded = await openai.embeddings.create({ model: 'text-embedding-3-small', input: 'hello' }).withResponse();
      expect(embedded.data.model).toBe('text-embedding-3-small');
      expect(await recordOf(embedded.response.headers.get('x-sluice-decision')!)).toMatchObject({
        operation: 'embed',
        decision: { reason: 'kept-operation' },
        cost: { known: true },
      });
    });

    it('serves Anthropic, plain and streamed, with cache writes priced', async () => {
      const plain = await anthropic.messages
        .create({
          model: 'claude-sonnet-4-6',
          max_tokens: 100,
          system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
          messages: [{ role: 'user', content: 'What is a CDN?' }],
        })
        .withResponse();
      expect(plain.data.model).toBe('claude-haiku-4-5');
      const record = await recordOf(plain.response.headers.get('x-sluice-decision')!);
      expect(record.usage).toMatchObject({
        cacheWrite5m: plain.data.usage.cache_creation_input_tokens,
        input: plain.data.usage.input_tokens,
      });
      expect(record.cost.known).toBe(true);
      const streamed = await anthropic.messages
        .create({ model: 'claude-sonnet-4-6', max_tokens: 100, stream: true, messages: [{ role: 'user', content: 'What is a CDN?' }] })
        .withResponse();
      for await (const event of streamed.data) expect(event.type).toBeTypeOf('string');
      expect(await recordOf(streamed.response.headers.get('x-sluice-decision')!)).toMatchObject({
        outcome: 'complete',
        finishReason: 'end_turn',
        servedModel: 'claude-haiku-4-5',
      });
    });

    it('serves Gemini, whose model is in the path', async () => {
      const plain = await google.models.generateContent({ model: 'gemini-2.5-pro', contents: 'What is a CDN?' });
      expect(plain.modelVersion).toBe('gemini-2.5-flash-lite');
      expect(simulator.received.at(-1)?.path).toContain('/models/gemini-2.5-flash-lite:generateContent');
      const stream = await google.models.generateContentStream({ model: 'gemini-2.5-pro', contents: 'What is DNS?' });
      let tokens = 0;
      for await (const chunk of stream) tokens = chunk.usageMetadata?.totalTokenCount ?? tokens;
      // The SDK does not show a stream's headers, so its record is the one that says so; records come in the order in which Envoy tells of
      // their ends.
      const streamed = async (): Promise<ExchangeRecord | undefined> =>
        (
          (await fetch(`${stack.adminUrl}/decisions?limit=20`).then((response) => response.json())) as { decisions: ExchangeRecord[] }
        ).decisions.find(({ api, stream: wanted }) => api === 'gemini-generate' && wanted);
      await expect.poll(streamed, { timeout: 10_000 }).toMatchObject({ servedModel: 'gemini-2.5-flash-lite' });
      const { usage } = (await streamed())!;
      expect(usage!.totalInput + usage!.totalOutput).toBe(tokens);
    });

    it('serves Azure, whose deployment is in the path', async () => {
      const azure = new AzureOpenAI({ endpoint: stack.url, apiKey: 'test', apiVersion: '2024-10-21', deployment: 'big', maxRetries: 0 });
      const { data, response } = await azure.chat.completions
        .create({ model: 'big', messages: [{ role: 'user', content: 'What is a CDN?' }] })
        .withResponse();
      expect(data.choices[0]?.message.content).not.toBe('');
      expect(simulator.received.at(-1)?.path).toBe('/openai/deployments/small/chat/completions?api-version=2024-10-21');
      expect(await recordOf(response.headers.get('x-sluice-decision')!)).toMatchObject({
        provider: 'azure',
        requestedModel: 'big',
        servedModel: 'small',
        outcome: 'complete',
        cost: { known: true },
      });
    });

    it('renames a limit in the body of a request whose deployment is in the path', async () => {
      const azure = new AzureOpenAI({ endpoint: stack.url, apiKey: 'test', apiVersion: '2024-10-21', deployment: 'big', maxRetries: 0 });
      const body = { model: 'big', max_tokens: 50, messages: [{ role: 'user' as const, content: 'What is a CDN?' }] };
      const { response } = await azure.chat.completions.create(body).withResponse();
      expect(simulator.received.at(-1)?.path).toContain('/deployments/small/');
      const sent = JSON.parse(simulator.received.at(-1)!.body.toString()) as object;
      expect(sent).toMatchObject({ model: 'big', max_completion_tokens: 50 });
      expect(sent).not.toHaveProperty('max_tokens');
      const { attempts } = await recordOf(response.headers.get('x-sluice-decision')!);
      expect(attempts[0]!.adapted).toEqual(['max_tokens → max_completion_tokens']);
    });

    it.each([
      ['What is a CDN?', 200],
      ['My number is 078-05-1120.', 403],
    ])('lets no name of a model become a header or an answer of its own: %s', async (content, status) => {
      const response = await fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'gpt\r\nset-cookie: a=b\r\n\r\nHTTP/1.1 200 OK \u0000é', messages: [{ role: 'user', content }] }),
      });
      await response.text();
      const named = 'gpt%0D%0Aset-cookie: a=b%0D%0A%0D%0AHTTP/1.1 200 OK %00%C3%A9';
      expect([response.status, response.headers.get('set-cookie'), response.headers.get('x-sluice-requested-model')]).toEqual([
        status,
        null,
        named,
      ]);
      expect((await recordOf(response.headers.get('x-sluice-decision')!)).requestedModel).toBe(
        'gpt\r\nset-cookie: a=b\r\n\r\nHTTP/1.1 200 OK \u0000é',
      );
    });

    it('notices a client that leaves before its answer began, and lets go of what it held', async () => {
      const { decisions } = (await fetch(`${stack.adminUrl}/decisions?limit=1`).then((response) => response.json())) as {
        decisions: ExchangeRecord[];
      };
      const before = decisions[0]?.id;
      const controller = new AbortController();
      const asked = fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        signal: controller.signal,
        headers: { 'content-type': 'application/json', 'x-sim-delay': '60000' },
        body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is a CDN?"}]}',
      });
      const pending = async () =>
        /^llm_proxy_pending_exchanges (\d+)$/m.exec(await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text()))?.[1];
      await expect.poll(pending).toBe('1');
      controller.abort();
      await expect(asked).rejects.toThrow();
      await expect.poll(pending).toBe('0');
      const after = (await fetch(`${stack.adminUrl}/decisions?limit=1`).then((response) => response.json())) as {
        decisions: ExchangeRecord[];
      };
      expect(after.decisions[0]?.id).not.toBe(before);
      expect(after.decisions[0]).toMatchObject({ outcome: 'client-gone', status: null, usage: null, cost: { known: false } });
    });

    it('stops a sensitive prompt with an error that the SDK knows, and nothing leaves', async () => {
      const before = simulator.received.length;
      await expect(
        openai.chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'My number is 123-45-6789.' }] }),
      ).rejects.toThrow(OpenAI.PermissionDeniedError);
      await expect(
        anthropic.messages.create({
          model: 'claude-sonnet-4-6',
          max_tokens: 9,
          messages: [{ role: 'user', content: 'It is 123-45-6789' }],
        }),
      ).rejects.toThrow(Anthropic.PermissionDeniedError);
      expect(simulator.received.length).toBe(before);
    });

    it('obeys x-sluice-route: off and still accounts for the call', async () => {
      const { data, response } = await openai.chat.completions
        .create(
          { model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] },
          { headers: { 'x-sluice-route': 'off', 'x-sluice-workspace': 'team-a' } },
        )
        .withResponse();
      expect(data.model).toBe('gpt-5.1');
      expect(simulator.received.at(-1)?.headers['x-sluice-workspace']).toBeUndefined();
      expect(await recordOf(response.headers.get('x-sluice-decision')!)).toMatchObject({
        kind: 'decision',
        workspace: 'team-a',
        decision: { action: 'keep', reason: 'route-off' },
        cost: { known: true },
      });
    });

    it.each(['host: x\r\n', ''])('decides requests of HTTP/1.0, which need not name a host: %j', async (host) => {
      const body = '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}';
      const { hostname, port } = new URL(stack.url);
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), hostname);
        let text = '';
        socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
        socket.once('error', reject).once('close', () => resolve(text));
        socket.write(
          `POST /v1/chat/completions HTTP/1.0\r\n${host}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
      });
      expect(answer).toMatch(/^HTTP\/1\.0 200 /);
      expect(answer).toContain('x-sluice-model: gpt-5-nano');
    });

    it('records a cut stream as cut', async () => {
      const response = await fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-sim-cut': '3' },
        body: JSON.stringify({ model: 'gpt-5.1', stream: true, messages: [{ role: 'user', content: 'What is DNS?' }] }),
      });
      await response.text().catch(() => '');
      expect(await recordOf(response.headers.get('x-sluice-decision')!)).toMatchObject({ outcome: 'cut', usageUnknown: 'cut' });
    });

    const unreadable: readonly (readonly [what: string, type: string, body: string, refusal: number])[] = [
      ['invalid JSON', 'application/json', '{"model":"gpt-5.1",', 400],
      ['a lone surrogate', 'application/json', '{"model":"gpt-5.1","messages":[{"content":"\\ud800"}]}', 400],
      ['deep nesting', 'application/json', `{"model":"gpt-5.1","x":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 400],
      ['a huge model', 'application/json', `{"model":"${'m'.repeat(5_000_000)}"}`, 400],
      ['multipart', 'multipart/form-data; boundary=x', '--x--', 400],
      ['plain text', 'text/plain', 'hello', 400],
    ];
    const send = (workspace: string, type: string, body: string): Promise<Response> =>
      fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': type, 'x-sluice-workspace': workspace },
        body,
      });

    it.each(unreadable)('passes %s on untouched', async (_name, type, body) => {
      const response = await send('open', type, body);
      expect(response.status).toBe(200);
      await response.arrayBuffer();
      expect(simulator.received.at(-1)?.body.equals(Buffer.from(body))).toBe(true);
    });

    it.each(unreadable)('refuses %s where a pattern looks for data that may not leave', async (_name, type, body, refusal) => {
      const before = simulator.received.length;
      const response = await send('team-a', type, body);
      expect(response.status).toBe(refusal);
      expect(await response.json()).toMatchObject({ error: { code: expect.stringMatching(/^unreadable_/) as string } });
      expect(simulator.received.length).toBe(before);
    });

    it('serves a body of 20 MB, and passes one of 40 MB on; where a pattern looks for data, it refuses both', async () => {
      const large = (workspace: string, bytes: number) =>
        send(workspace, 'application/json', JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'a'.repeat(bytes) }] }));
      const fits = await large('open', 20_000_000);
      expect(fits.status).toBe(200);
      await fits.arrayBuffer();
      expect(simulator.received.at(-1)!.body.length).toBeGreaterThan(20_000_000);
      const larger = await large('open', 40_000_000);
      expect(larger.status).toBe(200);
      await larger.arrayBuffer();
      expect(simulator.received.at(-1)!.body.length).toBeGreaterThan(40_000_000);
      const before = simulator.received.length;
      for (const bytes of [20_000_000, 40_000_000]) expect((await large('team-a', bytes)).status).toBe(413);
      expect(simulator.received.length).toBe(before);
    });

    it('reads a body whose length nobody said, and passes one of 40 MB on; where a pattern looks for data, it refuses that', async () => {
      const large = (workspace: string, bytes: number) =>
        fetch(`${stack.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-sluice-workspace': workspace },
          body: new Blob([JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'a'.repeat(bytes) }] })]).stream(),
          duplex: 'half',
          // A bound for a wait without end, far above what a busy machine needs.
          signal: AbortSignal.timeout(20_000),
        });
      const fits = await large('open', 1_000_000);
      expect(fits.headers.get('x-sluice-decision')).not.toBeNull();
      await fits.arrayBuffer();
      const larger = await large('open', 40_000_000);
      expect(larger.status).toBe(200);
      await larger.arrayBuffer();
      expect(simulator.received.at(-1)!.body.length).toBeGreaterThan(40_000_000);
      const before = simulator.received.length;
      // Envoy may close the connection before all of it was sent; it never leaves the client waiting.
      for (let tries = 0; tries < 4; tries++)
        expect(
          await large('team-a', 40_000_000).then(
            ({ status }) => status,
            (error: unknown) => (error instanceof Error && error.name === 'TimeoutError' ? 'no answer' : 413),
          ),
        ).toBe(413);
      expect(simulator.received.length).toBe(before);
    });

    it('follows an edit of the policy, and keeps the last good one', async () => {
      const ask = async () => {
        const response = await fetch(`${stack.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}',
        });
        await response.arrayBuffer();
        return response.headers.get('x-sluice-model');
      };
      stack.writePolicy(policy.replace('simple: [openai/gpt-5-nano', 'simple: [openai/gpt-4.1-nano'));
      // The store's own tests hold it to one second; here a busy machine may take longer.
      await expect.poll(ask).toBe('gpt-4.1-nano');
      stack.writePolicy('version: 1\nnonsense: true\n');
      await expect
        .poll(() => fetch(`${stack.adminUrl}/metrics`).then((response) => response.text()))
        .toMatch(/^llm_proxy_policy_refused 1$/m);
      expect(await ask()).toBe('gpt-4.1-nano');
      stack.writePolicy(policy);
      await expect.poll(ask).toBe('gpt-5-nano');
    });

    it.runIf(tcp === (transport === 'grpc'))(
      'lets requests go on when Sluice is killed under load, and decides again after its restart',
      async () => {
        const statuses: number[] = [];
        const routed: (string | null)[] = [];
        let going = true;
        const client = async (): Promise<void> => {
          while (going) {
            const response = await fetch(`${stack.url}/v1/chat/completions`, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}',
            });
            await response.arrayBuffer();
            statuses.push(response.status);
            routed.push(response.headers.get('x-sluice-model'));
          }
        };
        const clients = Array.from({ length: 8 }, client);
        await expect.poll(() => routed.length, { timeout: 10_000 }).toBeGreaterThan(8);
        await stack.stopSluice('SIGKILL');
        // On a busy machine an answer of before may still be on its way.
        await expect.poll(() => routed.at(-1), { timeout: 30_000 }).toBeNull();
        await stack.startSluice();
        await expect.poll(() => routed.at(-1), { timeout: 30_000 }).toBe('gpt-5-nano');
        going = false;
        await Promise.all(clients);
        expect(new Set(statuses)).toEqual(new Set([200]));
      },
    );
  });
});
