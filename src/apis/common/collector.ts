import type { AnswerBlock, AnswerEncoder, AnswerEnd, AnswerStart, BlockStart, WholeAnswer } from './translate-answer-types.ts';
import type { Failure } from './failure.ts';

/** Collects an answer that is not streamed. */
export class Collector implements AnswerEncoder {
  readonly #blocks: AnswerBlock[] = [];
  #start: AnswerStart = { id: null, model: null, created: null };
  #block: BlockStart | null = null;
  #pieces: string[] = [];
  answer: WholeAnswer | null = null;
  failure: Failure | null = null;

  start(start: AnswerStart): void {
    this.#start = start;
  }

  open(block: BlockStart): void {
    this.#block = block;
    this.#pieces = [];
  }

  delta(text: string): void {
    this.#pieces.push(text);
  }

  close(): Failure | null {
    const block = this.#block;
    if (block === null) return null;
    const text = this.#pieces.join('');
    this.#blocks.push(block.kind === 'call' ? { ...block, args: text } : { kind: block.kind, text });
    this.#block = null;
    return null;
  }

  finish(end: AnswerEnd): void {
    this.answer = { ...end, start: this.#start, blocks: this.#blocks };
  }

  fail(failure: Failure): void {
    this.failure = failure;
  }
}

/** The text of one kind; null if the answer has none. */
export function wordsOf(answer: WholeAnswer, kind: 'text' | 'refusal'): string | null {
  const words = answer.blocks.flatMap((block) => (block.kind === kind ? [block.text] : []));
  return words.length === 0 ? null : words.join('');
}
