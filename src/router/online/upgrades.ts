import { bitsApart } from './template.ts';

/** A kind of request that goes to the requested model for a while, because an answer to a similar request got a low grade. */
export interface Upgrade {
  readonly workspace: string;
  readonly template: string;
  /** SimHash of the graded text; null for the whole template. */
  readonly near: string | null;
  /** ms since 1970. */
  readonly until: number;
  readonly decisionId: string;
}

/**
 * Texts whose hashes differ in at most this many of 64 bits are near-duplicates; unrelated ones differ in about 32, with a standard error
 * of 4.
 */
const nearBits = 10;

/** Most upgrades kept for one template; with more texts, the whole template is upgraded. */
const mostOfTemplate = 64;

/** Active upgrades, by workspace and template. Bounded; the oldest template is dropped first. */
export class Upgrades {
  readonly #most: number;
  readonly #byTemplate = new Map<string, Upgrade[]>();

  /** `most`: templates to keep. */
  constructor(most: number) {
    this.#most = most;
  }

  add(upgrade: Upgrade): void {
    const key = keyOf(upgrade.workspace, upgrade.template);
    const list = (this.#byTemplate.get(key) ?? []).filter(({ near }) => near !== upgrade.near);
    list.push(upgrade);
    if (list.length > mostOfTemplate) list.shift();
    this.#byTemplate.delete(key);
    this.#byTemplate.set(key, list);
    if (this.#byTemplate.size > this.#most) this.#byTemplate.delete(this.#byTemplate.keys().next().value ?? '');
  }

  /** The upgrade that applies to a request at `now`; null if none. */
  find(workspace: string, template: string, near: string, now: number): Upgrade | null {
    const key = keyOf(workspace, template);
    const list = this.#byTemplate.get(key);
    if (list === undefined) return null;
    const found = list.find((one) => one.until > now && (one.near === null || bitsApart(one.near, near) <= nearBits));
    if (found === undefined && list.every(({ until }) => until <= now)) this.#byTemplate.delete(key);
    return found ?? null;
  }

  /** Upgrades active at `now`. */
  list(now: number): Upgrade[] {
    return [...this.#byTemplate.values()].flat().filter(({ until }) => until > now);
  }

  /** Forgets the upgrades of a workspace; null for all. */
  clear(workspace: string | null): void {
    for (const [key, list] of this.#byTemplate) if (workspace === null || list[0]?.workspace === workspace) this.#byTemplate.delete(key);
  }
}

function keyOf(workspace: string, template: string): string {
  return `${workspace}\n${template}`;
}
