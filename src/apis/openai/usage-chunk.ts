import { limits } from '../../lib/limits.ts';

const usageWord = Buffer.from('"usage"');
const choicesWord = Buffer.from('"choices"');
const newline = 0x0a;
const carriage = 0x0d;
const nothing: Buffer = Buffer.alloc(0);

/**
 * Removes the chunk that only reports usage from a stream of chat completions: an app that did not ask for it may not expect a chunk
 * without choices. All other bytes are unchanged; holds back at most one unfinished event, up to limits.sseEventBytes.
 */
export class UsageChunkFilter {
  #held: Buffer = nothing;
  /** Inside an event that is too long to hold: it passes through to its end. */
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
    // Copied, because the reader owns the bytes.
    this.#held = this.#passing ? nothing : Buffer.from(rest);
    return out.length === 1 ? out[0]! : Buffer.concat(out);
  }

  /** The remaining bytes at the stream's end. */
  end(): Buffer {
    const rest = this.#held;
    this.#held = nothing;
    return isUsageChunk(rest) ? nothing : rest;
  }
}

/** The offset just after the blank line that ends the event at `from`; -1 if the event is unfinished. */
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

/** Whether an event of chat completions only reports usage. */
export function isUsageEvent({ choices, usage }: Readonly<Record<string, unknown>>): boolean {
  return Array.isArray(choices) && choices.length === 0 && typeof usage === 'object' && usage !== null && !Array.isArray(usage);
}
