import { limits } from '../../lib/limits.ts';
import type { AnswerHead } from '../../apis/types.ts';
import { decodePart } from '../decode.ts';
import type { RelayStep, StreamRelay } from '../plans.ts';

/**
 * How much a stream must have grown, as a factor, before it is decoded again: decoding starts at the beginning, so this keeps the work
 * proportional to the stream's length. Node has no decoder that takes a stream piece by piece and answers at once.
 */
const growth = 1.25;

const nothing: Buffer = Buffer.alloc(0);

/** Whether a stream is compressed, although Sluice asked for it as it is. */
export function isEncoded({ contentEncoding }: AnswerHead): boolean {
  return contentEncoding !== '' && contentEncoding.trim().toLowerCase() !== 'identity';
}

/** A compressed stream, decoded for a relay that reads or changes it. One that cannot be decoded ends for the relay before its end. */
export class DecodedStream implements StreamRelay {
  readonly #relay: StreamRelay;
  readonly #encoding: string;
  #bytes: Buffer = nothing;
  #pieces: Buffer[] = [];
  #held = 0;
  /** Compressed bytes at the last decoding, and plain bytes that the relay has got. */
  #decoded = 0;
  #given = 0;

  constructor(relay: StreamRelay, { contentEncoding }: AnswerHead) {
    this.#relay = relay;
    this.#encoding = contentEncoding;
  }

  push(bytes: Buffer): RelayStep {
    this.#held += bytes.length;
    if (this.#held > limits.answerBytes) this.#pieces = [];
    else this.#pieces.push(Buffer.from(bytes));
    if (this.#held < this.#decoded * growth) return { kind: 'hold' };
    const plain = this.#more();
    return plain.length === 0 ? { kind: 'hold' } : changed(this.#relay.push(plain));
  }

  end(): RelayStep {
    const plain = this.#more();
    const last = plain.length === 0 ? null : this.#relay.push(plain);
    if (last?.kind === 'retry') return last;
    const step = this.#relay.end();
    if (last?.kind !== 'go' || step.kind !== 'go') return changed(step);
    return changed({ ...step, ...last, bytes: Buffer.concat([last.bytes, step.bytes]) });
  }

  /** The plain bytes that have arrived since the last call. */
  #more(): Buffer {
    if (this.#held > limits.answerBytes) return nothing;
    this.#bytes = Buffer.concat([this.#bytes, ...this.#pieces]);
    this.#pieces = [];
    this.#decoded = this.#held;
    const plain = decodePart(this.#bytes, this.#encoding) ?? nothing;
    const more = plain.subarray(this.#given);
    this.#given += more.length;
    return more;
  }
}

/** The app gets the stream as it is, without the provider's encoding. */
function changed(step: RelayStep): RelayStep {
  if (step.kind !== 'go') return step;
  const { set = [], remove = [] } = step.headers ?? {};
  return { ...step, headers: { set, remove: [...remove, 'content-encoding', 'content-length'] } };
}
