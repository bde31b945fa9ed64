import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerTo } from '../../src/demo/simulator-answers.ts';

/** One request as a provider got it. */
export interface Got {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly raw: Buffer;
  /** The model in its body, or in its path. */
  readonly model: string;
}

/** How a provider answers one request. `answer` is what the simulator would say. */
export type Behaviour = (got: Got, response: ServerResponse, answer: () => Promise<void>) => void | Promise<void>;

export const well: Behaviour = (_got, _response, answer) => answer();
export const status =
  (
    code: number,
    body: unknown = { error: { message: 'no', type: 'server_error' } },
    headers: Readonly<Record<string, string>> = {},
  ): Behaviour =>
  (_got, response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
export const says = (body: unknown): Behaviour => status(200, body);
export const resets: Behaviour = (_got, response) => void response.destroy();
export const hangs: Behaviour = () => undefined;
/** A stream of these events, ended or (cut) dropped. */
export const events =
  (list: readonly (string | Buffer)[], cut = false): Behaviour =>
  async (_got, response) => {
    // Until a byte has reached the app the gateway may still ask the next target: a stream is dropped after that.
    const begun = cut ? answerBegins(response) : null;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of list) {
      response.write(event);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await begun;
    if (cut) response.destroy();
    else response.end();
  };

/** Resolves when an app in this process has the head of its answer, or when nobody waits for this response any more. */
function answerBegins(response: ServerResponse): Promise<void> {
  const heads = 'undici:request:headers';
  return new Promise((resolve) => {
    const head = (message: unknown): void => {
      // Apps post; a GET is a question to an admin server.
      if ((message as { request: { method: string } }).request.method === 'POST') done();
    };
    const done = (): void => {
      unsubscribe(heads, head);
      resolve();
    };
    subscribe(heads, head);
    response.once('close', done);
  });
}

/** A provider whose behaviour a test sets, model by model or for all. */
export class ScriptedProvider {
  readonly got: Got[] = [];
  behaviour: Behaviour = well;
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const raw = Buffer.concat(chunks);
      const body = raw.toString();
      const path = request.url ?? '';
      const model = /\/models\/([^/:]+):/.exec(path)?.[1] ?? /"model"\s*:\s*"([^"]*)"/.exec(body)?.[1] ?? '';
      const got: Got = { path, headers: request.headers, body, raw, model };
      this.got.push(got);
      void this.behaviour(got, response, async () => {
        const answer = answerTo({ method: request.method ?? 'POST', path, headers: request.headers, body: raw });
        response.writeHead(answer.status, { 'content-type': answer.contentType });
        for (const event of answer.events ?? []) {
          response.write(event);
          await new Promise((resolve) => setImmediate(resolve));
        }
        response.end(answer.events === null ? answer.body : undefined);
      });
    });
  });

  async listen(): Promise<string> {
    this.#server.keepAliveTimeout = 3_600_000;
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Begins a test: the providers answer well again, and nothing has arrived. */
export function allWell(providers: readonly ScriptedProvider[]): void {
  for (const provider of providers) {
    provider.got.length = 0;
    provider.behaviour = well;
  }
}
