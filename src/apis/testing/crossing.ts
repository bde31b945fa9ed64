import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { recognise } from '../index.ts';
import type { ApiName } from '../types.ts';
import { AnswerTranslator, translateAnswer, translateRequest } from '../translate.ts';
import type { TranslatedRequest } from '../translate.ts';
import type { ProviderAnswer } from './fixtures.ts';

export interface CrossingOptions {
  readonly to: ApiName;
  readonly model: string;
  readonly drop?: readonly string[];
  /** The provider's answer to a translated request. */
  readonly answer: (stream: boolean, request: Record<string, unknown>) => ProviderAnswer;
  /** The size of the pieces in which the provider's bytes arrive. */
  readonly pieceBytes?: number;
  /** The provider's stream is cut after this many bytes. */
  readonly cutAfter?: number;
}

/** A server for an app's SDK: takes requests of any API, translates them, and returns a provider's answers translated back. */
export class Crossing {
  readonly #server: Server;
  options: CrossingOptions;
  /** The last request as the provider would receive it. */
  last: (TranslatedRequest & { readonly ok: true }) | null = null;
  lastApi: ApiName | null = null;

  constructor(options: CrossingOptions) {
    this.options = options;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** The last request's body, parsed. */
  get body(): Record<string, unknown> {
    return JSON.parse(this.last?.body.toString('utf8') ?? 'null') as Record<string, unknown>;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const path = request.url ?? '/';
    const family = path.includes('/models/') ? 'gemini' : path.endsWith('/messages') ? 'anthropic' : 'openai';
    const recognised = recognise(
      { method: 'POST', path, authority: '', contentType: 'application/json', contentEncoding: '', contentLength: null, upgrade: false },
      family,
    );
    if (recognised.kind !== 'readable') throw new Error(`not recognised: ${path}`);
    const { api } = recognised;
    this.lastApi = api;
    const asked = JSON.parse(body.toString('utf8')) as { stream?: boolean; stream_options?: { include_usage?: boolean } };
    const stream = recognised.stream ?? asked.stream === true;
    const { to, model } = this.options;
    const translated = translateRequest(api, to, body, { model, stream, drop: this.options.drop ?? [] });
    if (!translated.ok) {
      response
        .writeHead(422, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: { message: JSON.stringify(translated.unsupported) } }));
      return;
    }
    this.last = translated;
    const answer = this.options.answer(stream, this.body);
    const options = {
      model,
      id: 'decision-1',
      created: 1_770_000_001,
      includeUsage: asked.stream_options?.include_usage === true,
      framing: path.includes('alt=sse') ? ('sse' as const) : ('json-array' as const),
    };
    if (!stream || answer.status >= 300) {
      const back = translateAnswer(to, api, answer.status, Buffer.from(answer.body), options);
      response.writeHead(back.status, { 'content-type': back.contentType }).end(back.body);
      return;
    }
    const translator = new AnswerTranslator(to, api, options);
    response.writeHead(200, { 'content-type': translator.contentType });
    const bytes = Buffer.from(answer.body).subarray(0, this.options.cutAfter ?? undefined);
    const size = this.options.pieceBytes ?? bytes.length;
    for (let at = 0; at < bytes.length; at += size) response.write(translator.push(bytes.subarray(at, at + size)));
    response.end(translator.end(this.options.cutAfter === undefined));
  }
}
