import type { Setting } from './conversation.ts';
import { isNumber, isObject, numberOf } from './json.ts';
import type { Json, JsonObject, RawNumber } from './json.ts';
import { Malformed } from './losses.ts';
import type { Losses } from './losses.ts';

/**
 * The members of one object of a request. A member that is not taken when `done` is called is unknown to the translation and is reported as
 * lost: an unknown parameter is never silently left out. null counts as absent.
 */
export class Members {
  readonly path: string;
  readonly #object: JsonObject;
  readonly #losses: Losses;
  readonly #rest: Set<string>;

  constructor(value: Json | undefined, path: string, losses: Losses) {
    if (!isObject(value)) throw new Malformed(path, 'is not an object');
    this.path = path;
    this.#object = value;
    this.#losses = losses;
    this.#rest = new Set(Object.keys(value));
  }

  /** The position of a member. */
  at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  take(key: string): Json | undefined {
    this.#rest.delete(key);
    const value = Object.hasOwn(this.#object, key) ? this.#object[key] : undefined;
    if (value !== undefined && value !== null) return value;
    // Google's APIs accept every name in both spellings.
    const snake = snakeCase(key);
    if (snake === key || !Object.hasOwn(this.#object, snake)) return undefined;
    this.#rest.delete(snake);
    return this.#object[snake] ?? undefined;
  }

  string(key: string): string | null {
    const value = this.take(key);
    if (value === undefined) return null;
    if (typeof value !== 'string') throw new Malformed(this.at(key), 'is not a string');
    return value;
  }

  number(key: string): number | null {
    return numberOf(this.exact(key));
  }

  /** A numeric model setting and its position; `neutral` is the value that has no effect. */
  setting(key: string, neutral: number | null = null): Setting | null {
    const value = this.number(key);
    return value === null || value === neutral ? null : { value, at: this.at(key) };
  }

  /** A number as it was written. */
  exact(key: string): number | RawNumber | null {
    const value = this.take(key);
    if (value === undefined) return null;
    if (!isNumber(value)) throw new Malformed(this.at(key), 'is not a number');
    return value;
  }

  boolean(key: string): boolean | null {
    const value = this.take(key);
    if (value === undefined) return null;
    if (typeof value !== 'boolean') throw new Malformed(this.at(key), 'is not true or false');
    return value;
  }

  list(key: string): readonly Json[] | null {
    const value = this.take(key);
    if (value === undefined) return null;
    if (!Array.isArray(value)) throw new Malformed(this.at(key), 'is not an array');
    return value as readonly Json[];
  }

  /** A list, or one value in its place, as Google's APIs accept it. */
  some(key: string): readonly Json[] {
    const value = this.take(key);
    if (value === undefined) return [];
    return Array.isArray(value) ? (value as readonly Json[]) : [value];
  }

  object(key: string): Members | null {
    const value = this.take(key);
    return value === undefined ? null : new Members(value, this.at(key), this.#losses);
  }

  /** Takes members that have no effect with one of these values (JSON text), and loses them otherwise. */
  expect(key: string, values: readonly Json[], why: string): void {
    const value = this.take(key);
    if (value === undefined || values.some((one) => JSON.stringify(one) === JSON.stringify(value))) return;
    this.#losses.lose(this.at(key), why);
  }

  /** Members without meaning in other APIs, whatever their value. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#rest.delete(key);
  }

  /** Members that exist in this API only. */
  lose(why: string, ...keys: readonly string[]): void {
    for (const key of keys) if (this.take(key) !== undefined) this.#losses.lose(this.at(key), why);
  }

  done(): void {
    for (const key of this.#rest) {
      if (this.#object[key] === null) continue;
      this.#losses.lose(this.at(key), 'the translation does not know this member');
    }
  }
}

function snakeCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
