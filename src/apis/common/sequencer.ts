import { limits } from '../../lib/limits.ts';
import type { AnswerEncoder, AnswerSink, AnswerStart, BlockStart, Finish } from './translate-answer-types.ts';
import { failureOf } from './failure.ts';
import type { Failure } from './failure.ts';
import { fitId, madeId } from './ids.ts';
import type { IdRule } from './ids.ts';
import type { Usage } from '../types.ts';

interface Block {
  readonly start: BlockStart;
  /** Content that came while an earlier block was still open. */
  held: string;
  ended: boolean;
}

/**
 * Orders an answer as the strictest APIs require: one block after the other. OpenAI does not mark a call as complete before all are; its
 * second and later calls are held back until then, up to limits.translationHeldBytes.
 */
export class Sequencer implements AnswerSink {
  readonly #encoder: AnswerEncoder;
  readonly #ids: IdRule;
  readonly #seed: string;
  readonly #names: ReadonlyMap<string, string>;
  /** Blocks that are not completely written; the first is open. */
  readonly #open: Block[] = [];
  readonly #calls = new Map<string, Block>();
  #text: Block | null = null;
  #started = false;
  #heldUnits = 0;
  #callCount = 0;
  #refused = false;
  #usage: Usage | null = null;
  #finish: Finish | null = null;
  #stopSequence: string | null = null;
  #over = false;
  #whole = false;
  #begun = false;

  /** `seed`: unique to the answer; missing call ids are derived from it. `names`: the app's tool names by the provider's. */
  constructor(encoder: AnswerEncoder, ids: IdRule, seed: string, names: ReadonlyMap<string, string> = new Map()) {
    this.#names = names;
    this.#encoder = encoder;
    this.#ids = ids;
    this.#seed = seed;
  }

  /** Whether the answer is complete or has failed: nothing more is written. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether the provider sent its finish reason. */
  get finished(): boolean {
    return this.#finish !== null;
  }

  /** The answer is not a stream: if it gives no reason for its end, its content still is all of it. */
  get whole(): this {
    this.#whole = true;
    return this;
  }

  start(start: AnswerStart): void {
    if (this.#over || this.#started) return;
    this.#started = true;
    this.#encoder.start(start);
  }

  text(text: string): void {
    this.#words('text', text);
  }

  refusal(text: string): void {
    if (text !== '') this.#refused = true;
    this.#words('refusal', text);
  }

  #words(kind: 'text' | 'refusal', text: string): void {
    if (this.#over || text === '') return;
    if (this.#text?.start.kind !== kind) {
      this.#endText();
      this.#text = this.#begin({ kind });
    }
    this.#append(this.#text, text);
  }

  callStart(key: string, id: string | null, name: string): void {
    if (this.#over) return;
    this.#endText();
    this.callEnd(key);
    const number = this.#callCount++;
    const fitting = id === null || id === '' ? madeId(this.#ids.prefix, `${this.#seed}:${number}`) : fitId(id, this.#ids);
    this.#calls.set(key, this.#begin({ kind: 'call', id: fitting, name: this.#names.get(name) ?? name }));
  }

  callArgs(key: string, json: string): void {
    const block = this.#calls.get(key);
    if (this.#over || block === undefined || json === '') return;
    this.#append(block, json);
  }

  callEnd(key: string): void {
    const block = this.#calls.get(key);
    if (this.#over || block === undefined) return;
    this.#calls.delete(key);
    this.#end(block);
  }

  usage(usage: Usage): void {
    this.#usage = usage;
  }

  finish(finish: Finish, stopSequence: string | null): void {
    this.#finish = finish;
    this.#stopSequence = stopSequence;
  }

  end(): void {
    if (this.#over) return;
    if (this.#whole && this.#begun) this.#finish ??= 'stop';
    if (this.#finish === null || !this.#started) {
      this.fail(failureOf('server', "The provider's answer ended without a reason."));
      return;
    }
    this.#endText();
    for (const block of [...this.#open]) if (!this.#failed()) this.#end(block);
    if (this.#failed()) return;
    this.#over = true;
    let finish = this.#finish;
    // OpenAI ends with `stop` if a call was forced, Gemini always does.
    if (finish === 'stop' && this.#callCount > 0) finish = 'calls';
    else if (finish === 'stop' && this.#refused) finish = 'refusal';
    this.#encoder.finish({ finish, stopSequence: this.#stopSequence, usage: this.#usage });
  }

  /** Whether a block could not be expressed in the target's API. */
  #failed(): boolean {
    return this.#over;
  }

  fail(failure: Failure): void {
    if (this.#over) return;
    this.#over = true;
    this.#encoder.fail(failure);
  }

  #begin(start: BlockStart): Block {
    this.#begun = true;
    if (!this.#started) this.start({ id: null, model: null, created: null });
    const block: Block = { start, held: '', ended: false };
    this.#open.push(block);
    if (this.#open.length === 1) this.#encoder.open(start);
    return block;
  }

  #append(block: Block, text: string): void {
    if (block === this.#open[0]) {
      this.#encoder.delta(text);
      return;
    }
    block.held += text;
    this.#heldUnits += text.length;
    if (this.#heldUnits > limits.translationHeldBytes) this.fail(failureOf('server', 'The answer holds more than can be put in order.'));
  }

  #endText(): void {
    const block = this.#text;
    this.#text = null;
    if (block !== null) this.#end(block);
  }

  #end(block: Block): void {
    block.ended = true;
    while (this.#open[0]?.ended === true) {
      const failure = this.#encoder.close();
      this.#open.shift();
      if (failure !== null) {
        this.fail(failure);
        return;
      }
      const next = this.#open[0];
      if (next === undefined) return;
      this.#encoder.open(next.start);
      if (next.held !== '') this.#encoder.delta(next.held);
      this.#heldUnits -= next.held.length;
      next.held = '';
    }
  }
}
