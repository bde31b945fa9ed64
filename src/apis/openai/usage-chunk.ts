import { limits } from '../../lib/limits.ts';

const usageWord = Buffer.from('"usage"');
const choicesWord = Buffer.from('"choices"');
const newline = 0x0a;
const carriage = 0x0d;
const nothing: Buffer = Buffer.alloc(0);

/**
 * Takes out of a stream of chat completions the one chunk that only counts tokens: an app that did not ask for it may not expect a chunk without
 * choices. Every other byte is as it came; held back is at most one event that is not whole, up to limits.sseEventBytes.
 */
export class UsageChunkFilter {
  #held: Buffer = nothing;
  /** Within an event that is too long to be held: it is let through to its end. */
  #passing = false;

  push(bytes: Buffer): Buffer {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const out: Buffer[] = [];
    let from = 0;
    for (let end = eventEnd(all, 0); end !== -1; end = eventEnd(all, from)) {
      const event = all.subarray(from, end);
      if (this.#passing || !isUsageChunk(event)) out.push(event);
      this.#passing = false;
      from = end;
    }
    const rest = all.subarray(from);
    this.#passing ||= rest.length > limits.sseEventBytes;
    if (this.#passing) out.push(rest);
    // A copy: the bytes belong to whoever read them.
    this.#held = this.#passing ? nothing : Buffer.from(rest);
    return out.length === 1 ? out[0]! : Buffer.concat(out);
  }

  /** What is left at the stream's end. */
  end(): Buffer {
    const rest = this.#held;
    this.#held = nothing;
    return isUsageChunk(rest) ? nothing : rest;
  }
}

/** Just behind the blank line that ends the event which begins at `from`; -1: it is not whole. */
export function eventEnd(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(newline, from); at !== -1; at = bytes.indexOf(newline, at + 1)) {
    const next = bytes[at + 1];
    if (next === newline) return at + 2;
    if (next === carriage && bytes[at + 2] === newline) return at + 3;
  }
  return -1;
}

function isUsageChunk(event: Buffer): boolean {
  if (!event.includes(usageWord) || !event.includes(choicesWord)) return false;
  const data = event
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length).trimStart())
    .join('\n');
  try {
    const chunk: unknown = JSON.parse(data);
    return typeof chunk === 'object' && chunk !== null && isUsageEvent(chunk as Readonly<Record<string, unknown>>);
  } catch {
    return false;
  }
}

/** Whether an event of chat completions is there for its usage alone. */
export function isUsageEvent({ choices, usage }: Readonly<Record<string, unknown>>): boolean {
  return Array.isArray(choices) && choices.length === 0 && typeof usage === 'object' && usage !== null && !Array.isArray(usage);
}
