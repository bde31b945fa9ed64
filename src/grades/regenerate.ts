import { hash } from 'node:crypto';
import type { ParsedRequest } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';

/** Repeating a question within this time of its answer counts as a complaint about it, in ms. */
const windowMs = 10 * 60_000;
/** Faster repetitions are retries by a program, in ms. */
const soonestMs = 2_000;

/** Score of an answer whose question was repeated: bad, but only implicitly. */
export const regenerateScore = 0.2;

interface Asked {
  readonly decision: string;
  /** When its answer was complete; null if not yet, or if it failed. */
  answeredAt: number | null;
}

/**
 * Detects that a person asks for another answer: the same conversation with the same last message again, some seconds after its answer
 * arrived. Programs that repeat a question at once, or that got no answer, do not count.
 */
export class RegenerateWatch {
  readonly #asked = new Map<string, Asked>();
  /** Keys of requests being answered, by decision. */
  readonly #open = new Map<string, string>();

  /** Registers a request; returns the decision whose answer it asks for again, or null. */
  asks(key: string, decision: string, now: number): string | null {
    const before = this.#asked.get(key);
    this.#asked.delete(key);
    if (this.#asked.size >= limits.gradedDecisions) drop(this.#asked);
    if (this.#open.size >= limits.gradedDecisions) drop(this.#open);
    this.#asked.set(key, { decision, answeredAt: null });
    this.#open.set(decision, key);
    if (before === undefined || before.answeredAt === null) return null;
    const since = now - before.answeredAt;
    return since >= soonestMs && since <= windowMs ? before.decision : null;
  }

  /** Registers that an answer has ended. */
  answered(decision: string, whole: boolean, now: number): void {
    const key = this.#open.get(decision);
    if (key === undefined) return;
    this.#open.delete(decision);
    const asked = this.#asked.get(key);
    if (whole && asked?.decision === decision) asked.answeredAt = now;
  }
}

/** Identifies the same question in the same conversation. */
export function questionKey(workspace: string, exchange: ParsedRequest): string {
  return hash(
    'sha256',
    [workspace, exchange.messages, exchange.textBytes, exchange.system.length, exchange.context.slice(-1_024), exchange.lastUser].join(
      '\0',
    ),
    'base64',
  ).slice(0, 22);
}

function drop(map: Map<string, unknown>): void {
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}
