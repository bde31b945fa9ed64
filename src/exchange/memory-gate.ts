import { limits } from '../lib/limits.ts';
import type { HeldBody } from './open.ts';

/** For bodies that are not counted. */
export const uncounted: HeldBody = { forwarded: () => undefined, release: () => undefined };

/** How long a forwarded body counts whose answer is not observed, and at most, in ms. */
const unobservedMs = 30_000;
const longestMs = 300_000;

/**
 * Whether Envoy has memory for another large body. Envoy has no bound of its own for bodies of HTTP/1 requests that arrive together: they
 * would end it, and with it every other request.
 */
export class MemoryGate {
  readonly #room: number;
  #held = 0;

  /** `bytes`: what Envoy may use for bodies; null: not known, so that nothing is counted. */
  constructor(bytes: number | null) {
    this.#room = bytes ?? Infinity;
  }

  /** Bytes that Envoy holds for bodies now, estimated. */
  get held(): number {
    return this.#held;
  }

  /** Null if there is no room. `length`: bytes of the body; null: unknown (chunked), counted as a large one of the smallest size. */
  enter(length: number | null): HeldBody | null {
    const bytes = length ?? limits.largeBodyBytes;
    if (this.#room === Infinity || bytes < limits.countedBodyBytes) return uncounted;
    const whileRead = bytes * limits.bodyCopies;
    // One body always gets in: alone it is bounded by the largest that is read.
    if (bytes >= limits.largeBodyBytes && this.#held > 0 && this.#held + whileRead > this.#room) return null;
    return this.#hold(bytes, whileRead);
  }

  #hold(bytes: number, whileRead: number): HeldBody {
    let counted = whileRead;
    this.#held += counted;
    const count = (now: number): void => {
      this.#held += now - counted;
      counted = now;
    };
    let timer: NodeJS.Timeout | null = null;
    const release = (): void => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      count(0);
    };
    return {
      forwarded: (observed) => {
        if (counted === 0) return;
        count(bytes);
        timer = setTimeout(release, observed ? longestMs : unobservedMs);
        timer.unref();
      },
      release,
    };
  }
}
