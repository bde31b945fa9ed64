import { fileURLToPath } from 'node:url';
import { Client, credentials, type ClientDuplexStream } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';

/** Plain objects in the shape of the protocol; absent fields are left out. */
export type Message = Record<string, unknown>;

const definition = loadSync(fileURLToPath(new URL('../../proto/external_processor.proto', import.meta.url)), {
  keepCase: true,
  longs: Number,
  enums: String,
  bytes: Buffer,
  oneofs: false,
});
const process_ = (definition['envoy.service.ext_proc.v3.ExternalProcessor'] as Record<string, MethodDefinition<Message, Message>>)[
  'Process'
]!;

/** The reference encoding of a ProcessingRequest. */
export const encodeRequest = (message: Message): Buffer => process_.requestSerialize(message);

/** The reference decoding of a ProcessingResponse. */
export const decodeResponse = (bytes: Buffer): Message => process_.responseDeserialize(bytes);

const logs = loadSync(fileURLToPath(new URL('../../proto/access_log.proto', import.meta.url)), { keepCase: true });
const streamLogs = (logs['envoy.service.accesslog.v3.AccessLogService'] as Record<string, MethodDefinition<Message, Message>>)[
  'StreamAccessLogs'
]!;

/** The reference encoding of a StreamAccessLogsMessage with these entries. */
export const encodeAccessLog = (entries: readonly Message[]): Buffer => streamLogs.requestSerialize({ http_logs: { log_entry: entries } });

/** Header list as Envoy sends it. */
export function headerMap(headers: Readonly<Record<string, string>>): Message {
  return { headers: Object.entries(headers).map(([key, value]) => ({ key, raw_value: Buffer.from(value) })) };
}

/** google.protobuf.Struct of flat strings. */
export function struct(fields: Readonly<Record<string, string>>): Message {
  return { fields: Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, { stringValue: value }])) };
}

/** Plays Envoy: one client, many streams. */
export class ScriptedEnvoy {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.max_send_message_length': 64 * 1024 * 1024 });
  }

  open(): ScriptedStream {
    return new ScriptedStream(
      this.#client.makeBidiStreamRequest(
        process_.path,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
      ),
    );
  }

  close(): void {
    this.#client.close();
  }
}

/** One stream of the scripted Envoy's. */
export class ScriptedStream {
  readonly replies: Message[] = [];
  /** Set once the server has ended the stream: its gRPC status code. */
  status: number | null = null;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #waiting = new Set<() => void>();

  constructor(call: ClientDuplexStream<Buffer, Buffer>) {
    this.#call = call;
    const wake = (): void => {
      for (const resolve of this.#waiting) resolve();
    };
    call.on('data', (bytes: Buffer) => {
      this.replies.push(decodeResponse(bytes));
      wake();
    });
    call.on('error', () => undefined);
    call.on('status', ({ code }: { readonly code: number }) => {
      this.status = code;
      wake();
    });
  }

  send(message: Message): void {
    this.sendBytes(encodeRequest(message));
  }

  sendBytes(bytes: Buffer): void {
    if (this.status === null) this.#call.write(bytes);
  }

  halfClose(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  /** Resolves when `count` replies are there or the stream is over; throws after twenty seconds of neither. */
  async until(count: number): Promise<void> {
    await this.#wait(() => this.replies.length >= count || this.status !== null, `${count} replies, got ${this.replies.length}`);
  }

  async over(): Promise<number> {
    await this.#wait(() => this.status !== null, 'the end of the stream');
    return this.status!;
  }

  async #wait(done: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + 20_000;
    while (!done()) {
      if (Date.now() > deadline) throw new Error(`waited for ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(settle, 100);
        const waiting = this.#waiting;
        function settle(): void {
          clearTimeout(timer);
          waiting.delete(settle);
          resolve();
        }
        waiting.add(settle);
      });
    }
  }
}
