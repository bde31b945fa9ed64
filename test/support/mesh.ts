import { request } from 'node:http';
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
