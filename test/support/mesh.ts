import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import type { ExchangeRecord } from '../../src/record/types.ts';
import type { ScriptedProvider } from './scripted-provider.ts';

/** What an official SDK gives for a call. */
interface Answered {
  readonly data: { readonly model: string };
  readonly response: { readonly headers: Pick<Headers, 'get'> };
}

/** A simple question for gpt-4.1 was answered by gpt-4.1-nano, with the app's key and nothing of Sluice's, and recorded. */
export async function expectRouted(
  { data, response }: Answered,
  record: (id: string | null) => Promise<ExchangeRecord>,
  openai: ScriptedProvider,
): Promise<void> {
  expect([data.model, response.headers.get('x-sluice-model'), response.headers.get('x-sluice-tier')]).toEqual([
    'gpt-4.1-nano',
    'gpt-4.1-nano',
    'simple',
  ]);
  expect(await record(response.headers.get('x-sluice-decision'))).toMatchObject({
    requestedModel: 'gpt-4.1',
    servedModel: 'gpt-4.1-nano',
    outcome: 'complete',
    cost: { known: true },
  });
  expect(openai.got).toMatchObject([{ path: '/v1/chat/completions', model: 'gpt-4.1-nano', headers: { authorization: 'Bearer sk-app' } }]);
  expect(Object.keys(openai.got[0]!.headers).filter((name) => name.startsWith('x-sluice'))).toEqual([]);
}

/** A call to OpenAI went to Mistral alone, with that provider's key and path. */
export function expectCrossed({ response }: Answered, mistral: ScriptedProvider, openai: ScriptedProvider): void {
  expect(response.headers.get('x-sluice-model')).toBe('mistral-large-latest');
  expect(mistral.got).toMatchObject([{ path: '/base/v1/chat/completions', headers: { authorization: 'Bearer key-of-mistral' } }]);
  expect(openai.got).toEqual([]);
}

/** A limit on request bodies that the owner of a mesh sets, below what Sluice reads, in bytes. */
export const ownersLimit = 1024 * 1024;

/** Calls of each API at the host of their provider, and what its SDK must find in an error. */
export const tooLargeSaid = [
  ['/v1/chat/completions', 'api.openai.com', { error: { code: 'request_too_large' } }],
  ['/v1/messages', 'api.anthropic.com', { type: 'error', error: { type: 'request_too_large' } }],
  ['/v1beta/models/gemini-2.5-flash:generateContent', 'generativelanguage.googleapis.com', { error: { code: 413 } }],
] as const;

/**
 * The answer of an Envoy to a call that is larger than the owner's limit. Its body follows when Sluice has asked for it, because Envoy 1.40
 * never answers where it could not hold the body before; its end never comes, because Envoy closes connections on which it still gets data.
 */
export async function saidToTooLarge(
  envoy: { readonly port: number; readonly adminUrl: string },
  path: string,
  host: string,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const replies = async (): Promise<number> => {
    const stats = await fetch(`${envoy.adminUrl}/stats?filter=sluice_request.stream_msgs_received`).then((response) => response.text());
    return [...stats.matchAll(/: (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const before = await replies();
  const headers = { host, 'content-type': 'application/json', 'content-length': 2 * ownersLimit };
  const call = request({ host: '127.0.0.1', port: envoy.port, path, method: 'POST', headers });
  try {
    const answered = once(call, 'response') as Promise<[IncomingMessage]>;
    call.flushHeaders();
    await expect.poll(replies, { timeout: 10_000 }).toBeGreaterThan(before);
    call.write('{"model":"gpt-4.1","messages":[{"role":"user","content":"');
    call.write(Buffer.alloc(ownersLimit + 262_144, 'a'));
    const [answer] = await answered;
    const said = await text(answer);
    return { status: answer.statusCode ?? 0, body: said.startsWith('{') ? JSON.parse(said) : said };
  } finally {
    call.destroy();
  }
}

/** What a server says to a WebSocket that is opened at `url`, until it closes. Rejects with the status of another answer. */
export function heardOnWebSocket(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const handshake = request(url, {
      headers: {
        connection: 'Upgrade',
        upgrade: 'WebSocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    });
    handshake.on('upgrade', (_response, socket, head) => {
      let got = head.toString();
      socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
      socket.on('end', () => resolve(got));
    });
    handshake.on('response', (response) => reject(new Error(`${response.statusCode ?? 0}`)));
    handshake.on('error', reject);
    handshake.end();
  });
}
