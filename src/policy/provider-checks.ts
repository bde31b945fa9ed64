import type { Catalog } from '../catalog/types.ts';
import type { LoadedFile } from './load.ts';
import { didYouMean } from './nearest.ts';
import { isDefaultProvider } from './providers.ts';
import type { ProviderDocument } from './options/providers.ts';
import type { Problem, ProblemLevel, Provider } from './types.ts';
import { checkKeyFile, checkPrices } from './warnings.ts';

/** First segments of the providers' own paths: as prefixes they would catch requests that name no provider. */
const reserved = new Set(['/v1', '/v1beta', '/v1alpha', '/openai', '/model']);

/** Paths of providers' APIs that an endpoint must not end with, since the request's own path follows it. */
const ownPaths = /\/v[12](?:beta|alpha)?(?:\/(?:chat\/completions|completions|messages|responses|embeddings|chat|models))?\/?$/;
const azurePaths = /\/openai(?:\/.*)?$/;

/** What an endpoint has of a request's own path, and the endpoint without it; null if it has nothing of it. */
function pathTwice({ endpoint, dialect }: ProviderDocument): readonly [string, string] | null {
  const found = (dialect === 'azure-openai' ? azurePaths : ownPaths).exec(endpoint ?? '');
  return found === null ? null : [found[0].replace(/\/$/, ''), endpoint!.slice(0, found.index)];
}

/** Reports problems of one file's providers on their own. `earlier`: those of the files before it. */
export function checkProviders(
  { source, document }: LoadedFile,
  earlier: Readonly<Record<string, ProviderDocument>>,
  problems: Problem[],
): void {
  for (const [name, provider] of Object.entries(document.providers ?? {})) {
    const say: Say = (level, code, path, message, fix) =>
      problems.push(source.problem(level, code, ['providers', name, ...path], message, fix));
    if (Object.hasOwn(earlier, name))
      say('error', 'twice', [], `provider ${name} is written down in another file too`, 'Keep one of them.');
    checkEndpoint(name, provider, say);
    checkCredentials(name, provider, say);
  }
}

type Say = (level: ProblemLevel, code: string, path: readonly PropertyKey[], message: string, fix: string) => void;

function checkEndpoint(name: string, provider: ProviderDocument, say: Say): void {
  const missing = isDefaultProvider(name) ? [] : (['dialect', 'endpoint'] as const).filter((key) => provider[key] === undefined);
  if (missing.length > 0) {
    const fix = `Add ${missing.length === 2 ? 'both' : 'it'}; only the built-in providers bring their own.`;
    say('error', 'missing', [], `provider ${name} has no ${missing.join(' and no ')}`, fix);
  }
  const [twice, rest] = pathTwice(provider) ?? [];
  if (twice !== undefined) {
    const sent = `${provider.endpoint!.replace(/\/$/, '')}${twice}`;
    say('warning', 'endpoint-path', ['endpoint'], `requests bring ${twice} themselves: they would be sent to ${sent}`, `Write ${rest!}.`);
  }
  if (provider.pathPrefix !== undefined && reserved.has(provider.pathPrefix)) {
    const message = `${provider.pathPrefix} is the beginning of providers' own paths`;
    say('error', 'path-prefix', ['pathPrefix'], message, `Choose another, such as /${name}-api.`);
  }
}

function checkCredentials(name: string, { signing, credentialFile, credentialFiles }: ProviderDocument, say: Say): void {
  if (signing !== undefined && (credentialFile !== undefined || credentialFiles !== undefined)) {
    const message = `requests to ${name} are signed: a key would have no place`;
    say('error', 'contradiction', ['credentialFile'], message, 'Keep one of signing and credentialFile.');
  }
  const files = [
    ...(credentialFile === undefined ? [] : [{ at: ['credentialFile'], file: credentialFile }]),
    ...(credentialFiles ?? []).map((file, index) => ({ at: ['credentialFiles', index], file })),
  ];
  for (const { at, file } of files) checkKeyFile(file, (_path, message, fix) => say('warning', 'key-file', at, message, fix));
}

/**
 * Reports providers that share a prefix or a host, catalog names and deployment models that do not exist, and catalog overrides that no
 * provider uses. `base`: the catalog without the policy's overrides.
 */
export function checkCatalogOverrides(
  loaded: readonly LoadedFile[],
  providers: ReadonlyMap<string, Provider>,
  catalog: Catalog,
  base: Catalog,
  problems: Problem[],
): void {
  const used = new Set([...providers.values()].map(({ catalogProvider }) => catalogProvider));
  for (const { source, document } of loaded) {
    for (const [name, models] of Object.entries(document.catalog?.overrides ?? {})) {
      for (const [model, facts] of Object.entries(models)) {
        checkPrices(facts, base.models(name).find((entry) => entry.model === model) ?? null, (path, message, fix) =>
          problems.push(source.problem('warning', 'price', ['catalog', 'overrides', name, model, ...path], message, fix)),
        );
      }
      if (used.has(name) || base.providers().includes(name)) continue;
      const known = [...new Set([...used, ...base.providers()])];
      problems.push(
        source.problem(
          'error',
          'unknown-provider',
          ['catalog', 'overrides', name],
          `no provider's models are listed under ${name}`,
          didYouMean(name, known, `Known: ${known.join(', ')}.`),
        ),
      );
    }
    for (const [name, own] of Object.entries(document.providers ?? {})) {
      checkShared(name, own, providers, (path, message, fix) =>
        problems.push(source.problem('error', 'twice', ['providers', name, ...path], message, fix)),
      );
      if (own.catalog !== undefined && !catalog.providers().includes(own.catalog)) {
        problems.push(
          source.problem(
            'error',
            'unknown-provider',
            ['providers', name, 'catalog'],
            `the catalog has no provider ${own.catalog}`,
            didYouMean(own.catalog, catalog.providers(), `Known: ${catalog.providers().join(', ')}.`),
          ),
        );
      }
      for (const [deployment, model] of Object.entries(own.deployments ?? {})) {
        const from = providers.get(name)!.catalogProvider;
        if (catalog.lookup(from, model) !== null) continue;
        const models = catalog.models(from).map((entry) => entry.model);
        problems.push(
          source.problem(
            'error',
            'unknown-model',
            ['providers', name, 'deployments', deployment],
            `the catalog knows no model ${model} of ${from}`,
            didYouMean(model, models, 'Add it under catalog.overrides.'),
          ),
        );
      }
    }
  }
}

function checkShared(
  name: string,
  own: ProviderDocument,
  providers: ReadonlyMap<string, Provider>,
  say: (path: readonly PropertyKey[], message: string, fix: string) => void,
): void {
  for (const other of providers.values()) {
    if (other.name === name) continue;
    if (own.pathPrefix !== undefined && own.pathPrefix === other.pathPrefix)
      say(['pathPrefix'], `${own.pathPrefix} already means provider ${other.name}`, 'Choose another.');
    for (const [at, host] of (own.hosts ?? []).entries()) {
      if (other.hosts.some((taken) => taken.toLowerCase() === host.toLowerCase()))
        say(['hosts', at], `${host} already means provider ${other.name}`, 'Keep it at one of them.');
    }
  }
}
