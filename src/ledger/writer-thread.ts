import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import { collectWhenUnused } from '../lib/collect.ts';
import { messageOf } from '../lib/message-of.ts';
import type { LedgerBackend } from './backend.ts';
import { backendOf } from './backends.ts';
import { readEntries, type Entry } from './entry.ts';
import type { LedgerWorkerData, WriterReply, WriterRequest } from './messages.ts';
import { ReopeningWriter } from './reopening-writer.ts';

/** Delay before a failed write is retried, in ms: the disk may have space again. */
const retryMs = 1_000;

/** Interval of checks on a ledger without records to write: whether its database is back, or its file is gone. In ms. */
const lookMs = 2_000;

/** Bytes of lines in one transaction: enough that its commit costs little a record, and memory stays small when many wait. */
const transactionBytes = 4 * 1024 * 1024;

type Batch = WriterRequest & { readonly kind: 'append' };
type WriterData = LedgerWorkerData & { readonly role: 'writer' };

/** Writes the batches that arrive at its port, one transaction after the other, with checkpoints and pruning between them. */
export class WriterThread {
  readonly #options: WriterData;
  readonly #port: MessagePort;
  readonly #backend: LedgerBackend;
  readonly #ledger: ReopeningWriter;
  readonly #key: KeyObject | null;
  readonly #waiting: Batch[] = [];
  /** The batches of the current transaction; a retry uses the same. */
  #current: Batch[] = [];
  #closing = false;
  #finishing = false;
  #scheduled: { readonly cancel: () => void } | null = null;
  #checkpointAt = 0;
  #turn: Promise<void> = Promise.resolve();
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(options: WriterData, port: MessagePort) {
    this.#options = options;
    this.#port = port;
    this.#key = options.signingKey === null ? null : createPrivateKey(options.signingKey);
    this.#backend = backendOf(options.target.place);
    this.#ledger = new ReopeningWriter({
      open: (resume) => this.#backend.openWriter(options.target, { version: options.version, resume }),
      resume: options.resume,
      onOpen: (how) => {
        // What is resumed was signed when it was begun.
        this.#checkpointAt = how === 'resumed' ? this.#ledger.seq : 0;
        if (how !== 'resumed') this.#say({ kind: how === 'remade' ? 'remade' : 'ready' });
        // The first row records where other chains ended: signed at once, it covers what a killed writer could not sign.
        void this.#inTurn(() => this.#checkpoint());
        void this.#inTurn(() => this.#prune());
      },
    });
  }

  /** Opens the ledger and begins to take batches, unless the ledger refuses. */
  async start(): Promise<void> {
    const every = (ms: number, work: () => Promise<void>): NodeJS.Timeout => setInterval(() => void this.#inTurn(work), ms);
    this.#timers = [
      // A failure to reach it is reported when there is something to write.
      every(lookMs, () => this.#ledger.reach().then(ignore, ignore)),
      every(this.#options.checkpointMs, () => this.#checkpoint()),
      every(this.#options.pruneMs, () => this.#prune()),
    ];
    let refused = false;
    await this.#inTurn(async () => {
      await this.#ledger.reach().catch((error: unknown) => {
        const message = messageOf(error);
        // It could be opened before: it is tried again, like a write that failed.
        if (this.#options.resume !== null) return this.#say({ kind: 'failed', message });
        refused = !this.#backend.isAway(error);
        this.#say({ kind: refused ? 'refused' : 'away', message });
      });
    });
    if (refused) this.#stopTimers();
    else this.#listen();
  }

  #listen(): void {
    let used = false;
    collectWhenUnused(() => used);
    this.#port.on('message', (request: WriterRequest) => {
      used = true;
      if (request.kind === 'append') this.#waiting.push(request);
      else this.#closing = true;
      if (!this.#closing) {
        this.#schedule();
        return;
      }
      this.#scheduled?.cancel();
      void this.#finish();
    });
  }

  #say(reply: WriterReply): void {
    this.#port.postMessage(reply);
  }

  /** Serialises all work, because each task moves the end of the chain. Failures are reported. */
  #inTurn(work: () => void | Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(work).catch((error: unknown) => this.#say({ kind: 'failed', message: messageOf(error) }));
    return this.#turn;
  }

  #schedule(): void {
    if (this.#scheduled !== null) return;
    const next = (): void => {
      this.#scheduled = null;
      void this.#inTurn(() => this.#drain()).then(() => {
        if (this.#closing) void this.#finish();
        else if (this.#current.length + this.#waiting.length > 0) this.#schedule();
      });
    };
    if (this.#current.length > 0) {
      const timer = setTimeout(next, retryMs);
      this.#scheduled = { cancel: () => clearTimeout(timer) };
    } else {
      const soon = setImmediate(next);
      this.#scheduled = { cancel: () => clearImmediate(soon) };
    }
  }

  /** One transaction for the waiting batches: under load there are fewer commits per record. */
  async #drain(): Promise<void> {
    if (this.#current.length === 0) {
      let most = 0;
      for (let size = 0; most < this.#waiting.length && size < transactionBytes; most++) size += this.#waiting[most]!.lines.length;
      this.#current = this.#waiting.splice(0, most);
    }
    if (this.#current.length === 0) return;
    let count = 0;
    let bytes = 0;
    let dropped = 0;
    for (const batch of this.#current) {
      count += batch.count;
      bytes += batch.lines.length;
      dropped += batch.dropped;
    }
    try {
      await (await this.#ledger.reach()).append(entriesOf(this.#current), dropped);
      this.#current = [];
      this.#say({ kind: 'written', count, bytes });
    } catch (error) {
      this.#say({ kind: 'failed', message: messageOf(error) });
    }
  }

  async #checkpoint(): Promise<void> {
    if (this.#ledger.seq === this.#checkpointAt) return;
    const writer = await this.#ledger.reach();
    this.#say({ kind: 'checkpoint', checkpoint: await writer.checkpoint(this.#key) });
    this.#checkpointAt = writer.seq;
  }

  async #prune(): Promise<void> {
    if (!this.#ledger.open) return;
    const rows = await (await this.#ledger.reach()).prune(this.#options.retention);
    if (rows > 0) this.#say({ kind: 'pruned', rows });
  }

  async #finish(): Promise<void> {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#stopTimers();
    const drain = (): Promise<void> => this.#inTurn(() => this.#drain());
    // What failed before is tried once more; then what arrived since, as long as it can be written.
    await drain();
    while (this.#current.length === 0 && this.#waiting.length > 0) await drain();
    await drain();
    if (this.#ledger.open) await this.#inTurn(async () => (await this.#ledger.reach()).close());
    await this.#inTurn(() => this.#checkpoint());
    await this.#inTurn(() => this.#ledger.end());
    this.#say({ kind: 'closed' });
    this.#port.close();
  }

  #stopTimers(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}

const ignore = (): void => undefined;

/** One row at a time: many at once would outlive the young generation. */
function* entriesOf(batches: readonly Batch[]): Generator<Entry> {
  for (const { lines } of batches) yield* readEntries(Buffer.from(lines.buffer, lines.byteOffset, lines.length));
}
