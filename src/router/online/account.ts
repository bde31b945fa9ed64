import type { Counted, TemplateKey } from './beliefs.ts';

/** Past requests over which the loss limit is held, in addition to those to come: effectively this many, the latest weighted most. */
const memory = 4_096;
/** Templates with fewer (weighted) requests than this are forgotten. */
const least = 0.01;

/**
 * What recently went to the weak model, by template, so that it can be re-evaluated with current grades: losses that turned out larger are
 * made up for, smaller ones leave room.
 */
export class Account {
  readonly #weak = new Map<string, Counted>();
  readonly #fresh: { readonly key: TemplateKey; readonly gain: number; readonly weak: boolean }[] = [];
  #requests = 0;

  /** Records a routed request; `gain`: the router's gain. */
  add(key: TemplateKey, gain: number, weak: boolean): void {
    this.#fresh.push({ key, gain, weak });
  }

  /** Number of requests, old ones counted in part. */
  get requests(): number {
    return this.#requests;
  }

  /** The requests that the weak model took, by template, including those added since the last call. */
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
