import type { Counted, TemplateKey } from './beliefs.ts';

/** Requests that the promise is held over, beside those to come: about so many count, the latest most. */
const memory = 4_096;
/** Templates of fewer requests than this are forgotten. */
const least = 0.01;

/**
 * What went to the weak model lately, by template, so that it can be judged by what is known now: what turned out worse than it looked is made up for, and what turned out
 * better leaves room.
 */
export class Account {
  readonly #weak = new Map<string, Counted>();
  readonly #fresh: { readonly key: TemplateKey; readonly gain: number; readonly weak: boolean }[] = [];
  #requests = 0;

  /** A request was routed; `gain`: the router's. */
  add(key: TemplateKey, gain: number, weak: boolean): void {
    this.#fresh.push({ key, gain, weak });
  }

  /** Requests that count, old ones in part. */
  get requests(): number {
    return this.#requests;
  }

  /** Those of them that the weak model took, by template; what was added since is taken in. */
  settle(): Iterable<Counted> {
    const kept = (1 - 1 / memory) ** this.#fresh.length;
    this.#requests = this.#requests * kept + this.#fresh.length;
    for (const [template, one] of this.#weak) {
      one.count *= kept;
      one.gain *= kept;
      if (one.count < least) this.#weak.delete(template);
    }
    for (const { key, gain, weak } of this.#fresh) if (weak) addCount(this.#weak, key, 1, gain);
    this.#fresh.length = 0;
    return this.#weak.values();
  }
}

/** Adds requests of a template to counts by template. */
export function addCount(counts: Map<string, Counted>, { template, kind, spread }: TemplateKey, count: number, gain: number): void {
  const found = counts.get(template);
  if (found === undefined) {
    counts.set(template, { template, kind, spread, count, gain });
    return;
  }
  found.count += count;
  found.gain += gain;
}
