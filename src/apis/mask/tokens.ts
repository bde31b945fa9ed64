import { createHmac, randomBytes } from 'node:crypto';

/** One rule that masks. Plain data: it is sent to the thread that reads large bodies. */
export interface MaskRule {
  /** The prefix of its tokens: capital letters, digits and underscores. */
  readonly label: string;
  /** The originals are restored in the answer. */
  readonly restore: boolean;
}

/** Pairs of a digit and a letter in a token; more if two values of one request would otherwise get the same token. */
const usualPairs = 5;
const mostPairs = 10;

/** A token with any label. No two digits and no two letters are adjacent, so that patterns for numbers and words do not match tokens. */
export const anyToken = /\[[A-Z][A-Z0-9_]{0,39}_(?:[0-9][a-f]){5,10}\]/g;

/** The label of a rule's tokens, from the rule's name. */
export function labelOf(rule: string): string {
  const label = rule
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 40)
    .replace(/_+$/, '');
  return /^[A-Z]/.test(label) ? label : `X${label.slice(0, 38)}`;
}

/** A master key for a process without a configured one: its tokens differ in every process and after every start. */
export function ownMaskKey(): Buffer {
  return randomBytes(32);
}

/** The key of one workspace: the same value has different tokens in two workspaces. */
export function workspaceKey(master: Buffer, workspace: string): string {
  return createHmac('sha256', master).update(`sluice mask\0${workspace}`).digest('hex');
}

/** Makes the tokens of one request, and remembers their originals. */
export class Tokens {
  readonly #key: Buffer;
  readonly #tokens = new Map<string, string>();
  readonly #values = new Map<string, string>();
  readonly #restored = new Map<string, string>();

  /** `key`: hex, from `workspaceKey`. */
  constructor(key: string) {
    this.#key = Buffer.from(key, 'hex');
  }

  /** Tokens to restore in the answer, with their originals. */
  get restored(): ReadonlyMap<string, string> {
    return this.#restored;
  }

  /**
   * The token of a value: the same for the same value, and different for every other value of the request. Without the key it reveals
   * nothing about the value.
   */
  of({ label, restore }: MaskRule, value: string): string {
    const name = `${label} ${value}`;
    const known = this.#tokens.get(name);
    if (known !== undefined) return known;
    const hash = createHmac('sha256', this.#key).update(value).digest();
    let pairs = usualPairs;
    let token = tokenOf(label, hash, pairs);
    while (this.#values.has(token) && pairs < mostPairs) token = tokenOf(label, hash, ++pairs);
    this.#tokens.set(name, token);
    this.#values.set(token, value);
    if (restore) this.#restored.set(token, value);
    return token;
  }
}

const letters = 'abcdef';

function tokenOf(label: string, hash: Buffer, pairs: number): string {
  let text = '';
  for (let at = 0; at < pairs; at++) text += `${hash[2 * at]! % 10}${letters[hash[2 * at + 1]! % letters.length]!}`;
  return `[${label}_${text}]`;
}
