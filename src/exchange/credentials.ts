import { readFile } from 'node:fs/promises';
import type { DialectFamily } from '../apis/types.ts';
import type { HeaderMutation } from '../extproc/types.ts';
import type { PolicyGeneration, Provider } from '../policy/types.ts';

/** Headers that carry an app's own key, in every dialect: none of them may reach another provider. */
export const appKeyHeaders = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'x-amz-security-token', 'x-amz-date', 'x-amz-content-sha256'] as const;

function keyHeader(family: DialectFamily, key: string): readonly [string, string] {
  switch (family) {
    case 'openai':
      return ['authorization', `Bearer ${key}`];
    case 'azure-openai':
      return ['api-key', key];
    case 'anthropic':
      return ['x-api-key', key];
    case 'gemini':
      return ['x-goog-api-key', key];
    case 'bedrock':
      // Bedrock API keys are bearer tokens; signatures are Envoy's own business.
      return ['authorization', `Bearer ${key}`];
  }
}

/**
 * The gateway's own keys, from the files that the policy names (mounted Secrets). Reread every `refresh()`, so that a
 * rotated Secret needs no restart. A key lives here and in the header that carries it, and nowhere else.
 */
export class Credentials {
  readonly #keys = new Map<string, string>();
  #signed: ReadonlySet<string> = new Set();

  /** Reads every provider's file again. A file that cannot be read or is empty takes its key away. */
  async refresh(generation: Pick<PolicyGeneration, 'providers'>): Promise<void> {
    this.#signed = new Set([...generation.providers.values()].filter(({ signing }) => signing !== null).map(({ name }) => name));
    await Promise.all(
      [...generation.providers.values()].map(async (provider) => {
        const key = provider.credential === null ? '' : await readKey(provider.credential.file);
        if (key === '') this.#keys.delete(provider.name);
        else this.#keys.set(provider.name, key);
      }),
    );
  }

  has(provider: string): boolean {
    return this.#keys.has(provider) || this.#signed.has(provider);
  }

  /** Header changes for a request that leaves for `provider` instead of the one the app called; null when there is no key. Where Envoy signs there is none to set. */
  swap(provider: Provider): HeaderMutation | null {
    if (provider.signing !== null) return { set: [], remove: appKeyHeaders };
    const key = this.#keys.get(provider.name);
    if (key === undefined) return null;
    const own = provider.credential?.type === 'bearer' ? (['authorization', `Bearer ${key}`] as const) : keyHeader(provider.family, key);
    return { set: [own], remove: appKeyHeaders.filter((name) => name !== own[0]) };
  }
}

async function readKey(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    return '';
  }
}
