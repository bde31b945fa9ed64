/** One rule and the observed value. */
export interface Check {
  readonly what: string;
  readonly seen: string;
  /** What it has to be. */
  readonly rule: string;
  readonly ok: boolean;
  /** Only reliable on an idle machine, so tests skip it. */
  readonly timing: boolean;
}

export interface DrillResult {
  readonly name: string;
  /** What was done to the gateway. */
  readonly did: string;
  readonly checks: readonly Check[];
  /** Figures without a rule. */
  readonly facts: Readonly<Record<string, string>>;
  /** Why it was skipped; null if it ran. */
  readonly skipped: string | null;
}

export interface DrillOptions {
  /** How long a drill goes on that may be long or short, in seconds; null: as long as it should. */
  readonly seconds: number | null;
  /** A share of what is done often: 1 is all of it. */
  readonly scale: number;
  /** Told as it goes on. */
  readonly say: (line: string) => void;
}

export interface Drill {
  readonly name: string;
  run(options: DrillOptions): Promise<DrillResult>;
}

/** Collects what a drill saw. */
export class Findings {
  readonly #checks: Check[] = [];
  readonly #facts: Record<string, string> = {};

  check(what: string, seen: string | number, rule: string, ok: boolean): void {
    this.#checks.push({ what, seen: String(seen), rule, ok, timing: false });
  }

  /** A check of time, memory, or requests that Envoy did not wait for. */
  timing(what: string, seen: string, rule: string, ok: boolean): void {
    this.#checks.push({ what, seen, rule, ok, timing: true });
  }

  fact(name: string, value: string | number): void {
    this.#facts[name] = String(value);
  }

  result(name: string, did: string): DrillResult {
    return { name, did, checks: this.#checks, facts: this.#facts, skipped: null };
  }
}

export function skipped(name: string, why: string): DrillResult {
  return { name, did: '', checks: [], facts: {}, skipped: why };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Polls until the condition holds or the time is up. Resolves with the time taken in ms; null if it never held. */
export async function until(so: () => boolean | Promise<boolean>, ms: number): Promise<number | null> {
  const begun = performance.now();
  while (performance.now() - begun < ms) {
    if (await so()) return performance.now() - begun;
    await sleep(25);
  }
  return null;
}
