import { readFile } from 'node:fs/promises';
import { appKeyHeaders } from '../apis/key-headers.ts';
import { dialects } from '../apis/registry.ts';
import type { HeaderMutation } from '../lib/headers.ts';
import type { PolicySnapshot, PolicySection, Provider } from '../policy/types.ts';

/** Rest time in ms of a key that was rate-limited (unless its provider gives a time), and of one that was refused. */
const limitedMs = 20_000;
const refusedMs = 300_000;
const longestRestMs = 3_600_000;

/** Whose keys a request may use. */
export type KeyScope = Pick<PolicySection, 'keys'>;

/** Header changes that carry a key of the gateway's own. */
export interface OwnKey extends HeaderMutation {
  /** The key's file; null if Envoy signs. */
  readonly file: string | null;
}

/** Problem of a key: `limited` by its provider, `refused`, or its file holds `none`. */
export type KeyProblem = 'limited' | 'refused' | 'none';

/**
 * The gateway's own keys, from the files that the policy names (mounted Secrets). Each `refresh()` rereads them, so a rotated Secret needs
 * no restart. A key is held only here and in the header that carries it. Several keys of one provider take turns; one that is limited or
 * refused is not used until its time is over or its file changes.
 */
export class Credentials {
  /** By file. */
  readonly #keys = new Map<string, string>();
  readonly #resting = new Map<string, number>();
  readonly #onProblem: (file: string, problem: KeyProblem) => void;
  readonly #now: () => number;
  #providers: ReadonlyMap<string, Provider> = new Map();
  #asked: ReadonlySet<string> = new Set();
  /** Files without a key that were already reported. */
  readonly #missing = new Set<string>();
  #turn = 0;

  /** `onProblem`: called once, until the key works again or is replaced. `now`: milliseconds. */
  constructor(onProblem: (file: string, problem: KeyProblem) => void = () => undefined, now: () => number = Date.now) {
    this.#onProblem = onProblem;
    this.#now = now;
  }

  /** Reads every file again. If a file cannot be read or is empty, its key is dropped. */
  async refresh({
    providers,
    keyFiles = [],
  }: Pick<PolicySnapshot, 'providers'> & { readonly keyFiles?: readonly string[] }): Promise<void> {
    this.#providers = providers;
    const files = new Set(keyFilesOf({ providers, keyFiles }));
    this.#asked = files;
    for (const file of this.#keys.keys()) if (!files.has(file)) this.#keys.delete(file);
    for (const file of this.#missing) if (!files.has(file)) this.#missing.delete(file);
    await Promise.all(
      [...files].map(async (file) => {
        const key = await readKey(file);
        const before = this.#keys.get(file);
        if (key !== before) this.#resting.delete(file);
        if (key !== '') {
          this.#keys.set(file, key);
          this.#missing.delete(file);
          return;
        }
        this.#keys.delete(file);
        if (this.#missing.has(file)) return;
        this.#missing.add(file);
        this.#onProblem(file, 'none');
      }),
    );
  }

  /** Whether there is a key for a provider, the section's own first. */
  has(provider: string, scope?: KeyScope): boolean {
    const known = this.#providers.get(provider);
    return known !== undefined && (known.signing !== null || this.#files(known, scope).some((file) => this.#keys.has(file)));
  }

  /** The state of every key file: its providers (empty: the file belongs to a section), and whether it has no key or its key is cooling down. */
  files(): readonly { readonly file: string; readonly providers: readonly string[]; readonly problem: 'none' | 'resting' | null }[] {
    return [...this.#asked].map((file) => ({
      file,
      providers: [...this.#providers.values()].filter((provider) => filesOf(provider).includes(file)).map(({ name }) => name),
      problem: !this.#keys.has(file) ? 'none' : (this.#resting.get(file) ?? 0) > this.#now() ? 'resting' : null,
    }));
  }

  /** Header changes for a request sent with a gateway key; null if there is none. If Envoy signs, no key is set. */
  swap(provider: Provider, scope?: KeyScope): OwnKey | null {
    if (provider.signing !== null) return { set: [], remove: appKeyHeaders, file: null };
    const file = this.#pick(this.#files(provider, scope).filter((one) => this.#keys.has(one)));
    const key = file === null ? undefined : this.#keys.get(file);
    if (key === undefined) return null;
    const own =
      provider.credential?.type === 'bearer' ? (['authorization', `Bearer ${key}`] as const) : dialects[provider.family].keyHeader(key);
    return { set: [own], remove: appKeyHeaders.filter((name) => name !== own[0]), file };
  }

  /** Records how a provider responded to a key. `retryAfterMs`: as the provider stated; null if it did not. */
  answered(file: string | null, status: number, retryAfterMs: number | null): void {
    if (file === null) return;
    const problem: KeyProblem | null = status === 429 ? 'limited' : status === 401 ? 'refused' : null;
    if (problem === null) {
      if (status < 400 && this.#resting.size > 0) this.#resting.delete(file);
      return;
    }
    const now = this.#now();
    const rests = (this.#resting.get(file) ?? 0) > now;
    this.#resting.set(file, now + Math.min(longestRestMs, retryAfterMs ?? (problem === 'limited' ? limitedMs : refusedMs)));
    if (!rests) this.#onProblem(file, problem);
  }

  #files(provider: Provider, scope: KeyScope | undefined): readonly string[] {
    return scope?.keys.get(provider.name) ?? filesOf(provider);
  }

  /** The next key that is not resting; if all rest, the one with the shortest rest left. */
  #pick(files: readonly string[]): string | null {
    if (files.length < 2) return files[0] ?? null;
    const now = this.#now();
    this.#turn = (this.#turn + 1) % 1_000_000;
    const turned = files.map((_file, at) => files[(at + this.#turn) % files.length]!);
    const rest = (file: string): number => Math.max(0, (this.#resting.get(file) ?? 0) - now);
    return turned.reduce((best, file) => (rest(file) < rest(best) ? file : best));
  }
}

function filesOf({ credential }: Provider): readonly string[] {
  return credential === null ? [] : credential.more === undefined ? [credential.file] : [credential.file, ...credential.more];
}

/** All files with gateway keys in a policy. */
function keyFilesOf({ providers, keyFiles }: Pick<PolicySnapshot, 'providers' | 'keyFiles'>): readonly string[] {
  return [...[...providers.values()].flatMap(filesOf), ...keyFiles];
}

/** The policy's key files that hold no key here. */
export async function missingKeyFiles(policy: Pick<PolicySnapshot, 'providers' | 'keyFiles'>): Promise<readonly string[]> {
  const files = [...new Set(keyFilesOf(policy))];
  const keys = await Promise.all(files.map(readKey));
  return files.filter((_file, at) => keys[at] === '');
}

async function readKey(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    return '';
  }
}
