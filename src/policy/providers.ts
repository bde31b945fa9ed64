import type { DialectFamily } from '../apis/names.ts';
import { dialectNames, dialects } from '../apis/registry.ts';
import { familyOf, type HeadView } from './provider-paths.ts';
import type { ProviderDocument } from './options/providers.ts';
import type { AwsSigning, Provider, Resolved } from './types.ts';

const known = dialectNames.map((dialect) =>
  Object.entries(dialects[dialect].providers).map(([name, { endpoint, hosts, pathPrefix }]): [string, ProviderDocument] => [
    name,
    { dialect, endpoint, hosts: [...hosts], pathPrefix },
  ]),
);

/** Built-in providers: first the authors of a wire format, then compatible ones. A policy may change any of them. */
const defaults: Readonly<Record<string, ProviderDocument>> = Object.fromEntries([
  ...known.flatMap((all) => all.slice(0, 1)),
  ...known.flatMap((all) => all.slice(1)),
]);

/** The dialect of a provider that states none. */
const defaultDialect: DialectFamily = 'openai';

/** The default providers with a policy's own on top. */
export function mergeProviders(own: Readonly<Record<string, ProviderDocument>>): Map<string, Provider> {
  const merged = new Map<string, Provider>();
  for (const name of new Set([...Object.keys(defaults), ...Object.keys(own)])) {
    const document = { ...(isDefaultProvider(name) ? defaults[name] : undefined), ...own[name] };
    const family = document.dialect ?? defaultDialect;
    merged.set(name, {
      name,
      family,
      endpoint: (document.endpoint ?? '').replace(/\/$/, ''),
      pathPrefix: document.pathPrefix ?? null,
      hosts: document.hosts ?? [],
      catalogProvider: document.catalog ?? dialects[family].catalogProvider ?? name,
      responses: document.responses ?? (name === 'openai' || document.catalog === 'openai' || dialects[family].deployments),
      deployments: new Map(Object.entries(document.deployments ?? {})),
      credential: credentialOf(document),
      signing: document.signing === undefined ? null : signingOf(document.signing.aws),
    });
  }
  return merged;
}

function credentialOf({ credentialFile, credentialFiles, credentialType }: ProviderDocument): Provider['credential'] {
  const [file, ...more] = [...(credentialFile === undefined ? [] : [credentialFile]), ...(credentialFiles ?? [])];
  return file === undefined ? null : { file, ...(more.length === 0 ? {} : { more }), type: credentialType ?? 'key' };
}

function signingOf({ service, region, credentialsFile, profile }: NonNullable<ProviderDocument['signing']>['aws']): AwsSigning {
  return { service, region, file: credentialsFile ?? null, profile: profile ?? null };
}

/** Whether a name is built in and needs no endpoint and dialect in the policy. */
export function isDefaultProvider(name: string): boolean {
  return Object.hasOwn(defaults, name);
}

/** Returns a function that finds a request's provider: by host, by path prefix, then by the path's shape and the request's headers. */
export function providerResolver(providers: ReadonlyMap<string, Provider>): (authority: string, path: string, head?: HeadView) => Resolved {
  const byHost = new Map<string, Provider>();
  const byPrefix = new Map<string, Provider>();
  const byFamily = new Map<string, Provider>();
  for (const provider of providers.values()) {
    for (const host of provider.hosts) byHost.set(host.toLowerCase(), provider);
    if (provider.pathPrefix !== null) byPrefix.set(provider.pathPrefix, provider);
    if (!byFamily.has(provider.family)) byFamily.set(provider.family, provider);
  }
  const hasFamily = (wanted: DialectFamily): boolean => byFamily.has(wanted);
  // Most requests of a gateway have the same authority.
  let lastAuthority = '';
  let lastHost = byHost.get(lastAuthority);
  return (authority, path, head) => {
    if (authority !== lastAuthority) {
      const host = authority.toLowerCase();
      lastHost = byHost.get(host) ?? byHost.get(host.replace(/:\d+$/, ''));
      lastAuthority = authority;
    }
    const host = lastHost;
    if (host !== undefined) return { provider: host, path };
    const slash = path.indexOf('/', 1);
    if (slash !== -1) {
      const prefixed = byPrefix.get(path.slice(0, slash));
      if (prefixed !== undefined) return { provider: prefixed, path: path.slice(slash) };
    }
    const family = familyOf(path, head, hasFamily);
    if (family === null || family === 'ambiguous') return family;
    return { provider: byFamily.get(family)!, path };
  };
}
