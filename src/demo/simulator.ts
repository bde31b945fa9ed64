import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { answerTo, type SimulatedAnswer } from './simulator-answers.ts';

/** One request as received by the simulator. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface SimulatorOptions {
  /** Milliseconds before an answer begins. */
  readonly delayMs?: number;
  /** Milliseconds between a stream's events. */
  readonly eventMs?: number;
  /** Maximum number of requests kept in `received`. */
  readonly keep?: number;
}

/**
 * The upstream: one HTTP server that answers like OpenAI, Anthropic and Google, with made-up text and plausible usage. The same request
 * gets the same answer. Request headers change its behaviour: `x-sim-status` (an error of that status), `x-sim-cut: N` (drop the connection
 * after N events), `x-sim-split: N` (chunks of N bytes), `x-sim-gzip`, `x-sim-delay: MS`.
 */
export class ProviderSimulator {
  readonly received: ReceivedRequest[] = [];
  readonly #options: SimulatorOptions;
  readonly #server: Server;

  constructor(options: SimulatorOptions = {}) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    // Envoy keeps idle connections for an hour.
    this.#server.keepAliveTimeout = 3_600_000;
    this.#server.on('upgrade', (_request, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n');
    });
  }

  /** Resolves with the base URL. */
  async listen(port = 0, host = '127.0.0.1'): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, host, resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const received = { method: request.method ?? 'GET', path: request.url ?? '/', headers: request.headers, body };
    this.received.push(received);
    if (this.received.length > (this.#options.keep ?? 1_000)) this.received.shift();
    const answer = answerTo(received);
    await sleep(Number(header(request, 'x-sim-delay') ?? this.#options.delayMs ?? 0));
    await this.#send(request, response, answer);
  }

  async #send(request: IncomingMessage, response: ServerResponse, answer: SimulatedAnswer): Promise<void> {
    const cut = Number(header(request, 'x-sim-cut') ?? Infinity);
    const split = Number(header(request, 'x-sim-split') ?? 0);
    if (answer.events === null) {
      const gzip = header(request, 'x-sim-gzip') !== undefined;
      const body = gzip ? gzipSync(answer.body) : answer.body;
      response.writeHead(answer.status, {
        'content-type': answer.contentType,
        'content-length': body.length,
        ...(gzip ? { 'content-encoding': 'gzip' } : {}),
      });
      if (Number.isFinite(cut)) {
        response.write(body.subarray(0, Math.floor(body.length / 2)));
        await sleep(20);
        response.destroy();
        return;
      }
      response.end(body);
      return;
    }
    response.writeHead(answer.status, { 'content-type': answer.contentType });
    for (const [index, event] of answer.events.entries()) {
      if (index >= cut) {
        await sleep(20);
        response.destroy();
        return;
      }
      const bytes = Buffer.from(event);
      for (let at = 0; at < bytes.length; at += split || bytes.length) response.write(bytes.subarray(at, at + (split || bytes.length)));
      await sleep(this.#options.eventMs ?? 0);
    }
    response.end();
  }
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function sleep(ms: number): Promise<void> {
  return ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : Promise.resolve();
}
