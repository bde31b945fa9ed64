import { limits } from '../../lib/limits.ts';
import type { EnvoyOptions } from '../render.ts';
import { snippetOf } from '../snippet.ts';
import { addressesOf, checkProviderClusters, checkSluiceCluster, clustersOfProviders, clustersToSluice } from './clusters.ts';
import { at, listOf, objectOf, textOf, type EnvoyConfig, type Json, type Path } from './config.ts';
import { checkFilters, checkManager, sluiceFilters, type SluiceFilters } from './filters.ts';
import { Findings, type EnvoyFinding } from './findings.ts';
import { checkRoutes, routesOf } from './routes.ts';

export { configOfDump, configOfFile, type EnvoyConfig } from './config.ts';
export type { EnvoyFinding } from './findings.ts';

interface Manager {
  readonly value: Json;
  readonly path: Path;
  readonly listener: { readonly value: Json; readonly path: Path };
  readonly filters: SluiceFilters | null;
}

export interface EnvoyCheck {
  readonly findings: readonly EnvoyFinding[];
  /** Addresses of the listeners whose requests reach Sluice: `host:port`. */
  readonly listeners: readonly { readonly address: string; readonly tls: boolean }[];
  /** Address at which the filters call Sluice: `unix:/path` or `host:port`. */
  readonly sluice: readonly string[];
}

/** Reports what is missing or wrong in a config. `options`: those for rendering a config for this policy, Envoy and Sluice. */
export function checkEnvoy(config: EnvoyConfig, options: EnvoyOptions): EnvoyCheck {
  const findings = new Findings(config, options, snippetOf(options));
  const toSluice = clustersToSluice(config.clusters, options.sluice);
  const managers = managersOf(config, toSluice);
  const attached = managers.filter((manager) => manager.filters !== null);
  if (attached.length === 0) nothingAttached(findings, managers);
  for (const manager of attached) checkAttached(findings, manager, manager.filters!);
  for (const name of new Set(attached.map(({ filters }) => filters!.cluster))) checkSluiceCluster(findings, name);
  if (attached.length > 0) checkProviderClusters(findings);
  if (attached.length > 0 && options.abilities.attemptEndpoints && !config.partial) checkInside(findings);
  checkAround(
    findings,
    managers.filter(({ filters }) => filters === null),
  );
  const called = new Set(attached.map(({ filters }) => filters!.cluster));
  return {
    findings: findings.list,
    listeners: attached.map(({ listener }) => ({
      address: addressOf(listener.value),
      tls: at(listener.value, 'filter_chains', 0, 'transport_socket') !== undefined,
    })),
    sluice: config.clusters.filter(({ value }) => called.has(textOf(value['name']))).flatMap(({ value }) => addressesOf(value)),
  };
}

function managersOf(config: EnvoyConfig, toSluice: ReadonlySet<string>): Manager[] {
  return config.listeners.flatMap((listener) => {
    const chains: [Json, Path][] = [
      ...listOf(listener.value['filter_chains']).map((chain, index): [Json, Path] => [objectOf(chain), ['filter_chains', index]]),
      ...(listener.value['default_filter_chain'] === undefined
        ? []
        : [[objectOf(listener.value['default_filter_chain']), ['default_filter_chain']] satisfies [Json, Path]]),
    ];
    return chains.flatMap(([chain, inner]) =>
      listOf(chain['filters']).flatMap((filter, index): Manager[] => {
        const value = objectOf(at(filter, 'typed_config'));
        if (!textOf(value['@type']).endsWith('.HttpConnectionManager')) return [];
        return [
          {
            value,
            path: [...listener.path, ...inner, 'filters', index, 'typed_config'],
            listener,
            filters: sluiceFilters(value, toSluice),
          },
        ];
      }),
    );
  });
}

function nothingAttached(findings: Findings, managers: readonly Manager[]): void {
  const [first] = managers;
  if (first === undefined) {
    const { partial } = findings.config;
    findings.error(
      ['static_resources', 'listeners'],
      `there is no listener for HTTP${partial ? ' in this file: listeners come from a control plane' : ''}.`,
      partial ? 'Check the running Envoy: sluice doctor --envoy-admin HOST:PORT.' : 'Add one, or use what `sluice render envoy` writes.',
    );
  } else
    findings.error(
      [...first.path, 'http_filters'],
      'no filter calls Sluice: nothing is decided.',
      'Add what `sluice render envoy --snippet` prints.',
    );
}

function checkAttached(findings: Findings, { value, path, listener }: Manager, filters: SluiceFilters): void {
  checkFilters(findings, value, path, filters);
  checkManager(findings, value, path, filters);
  checkRoutes(findings, value, path, filters);
  const buffer = Math.max(
    Number(listener.value['per_connection_buffer_limit_bytes'] ?? 1024 * 1024),
    bodyLimitOf(routesOf(findings, value, path)?.value),
  );
  if (buffer < limits.requestBodyBytes)
    findings.error(
      listener.path,
      `requests above ${Math.floor(buffer / 1024)} KiB pass undecided or get 413 (per_connection_buffer_limit_bytes); coding agents send megabytes.`,
      bufferFix(findings),
    );
}

/** Where Envoy's memory is bounded, what the snippet sets for a connection is less than a body. */
function bufferFix({ wanted }: Findings): string {
  const bodies = wanted.virtual_host['request_body_buffer_limit'];
  return bodies === undefined
    ? `Set per_connection_buffer_limit_bytes: ${textOf(wanted.listener['per_connection_buffer_limit_bytes'])}.`
    : `Set request_body_buffer_limit: ${textOf(bodies)} in every virtual host.`;
}

/** The limit that all hosts of the routes have for bodies, where it is not the connection's; bytes, else 0. */
function bodyLimitOf(routes: Json | undefined): number {
  const each = listOf(routes?.['virtual_hosts']).map((host) => Number(objectOf(host)['request_body_buffer_limit'] ?? 0));
  return each.length === 0 ? 0 : Math.min(...each);
}

/** What chains need inside Envoy before 1.40. */
function checkInside(findings: Findings): void {
  const have = new Set(findings.config.listeners.map(({ value }) => value['name']));
  const missing = findings.wanted.listeners.map(({ name }) => textOf(name)).filter((name) => !have.has(name));
  if (missing.length > 0)
    findings.error(
      ['static_resources', 'listeners'],
      `chains lead to listeners inside Envoy that are not there: ${missing.join(', ')}.`,
      'Add the listeners of the snippet.',
    );
  if (!JSON.stringify(findings.config.bootstrap['bootstrap_extensions'] ?? []).includes('InternalListener'))
    findings.error(
      ['bootstrap_extensions'],
      'this Envoy has no listeners inside itself (bootstrap_extensions).',
      'Add bootstrap_extensions of the snippet.',
    );
}

/** Finds listeners that route to providers without calling Sluice. */
function checkAround(findings: Findings, managers: readonly Manager[]): void {
  const providers = clustersOfProviders(findings);
  for (const { value, path } of managers) {
    const routes = routesOf(findings, value, path);
    const around = new Set(
      listOf(routes?.value['virtual_hosts'])
        .flatMap((host) => listOf(at(host, 'routes')))
        .flatMap((route) => {
          const host = providers.get(textOf(at(route, 'route', 'cluster')));
          return host === undefined ? [] : [host];
        }),
    );
    if (around.size > 0)
      findings.warning(
        path,
        `requests on this listener reach ${[...around].join(', ')} without Sluice.`,
        'Add the snippet here too, if they should be decided.',
      );
  }
}

function addressOf(listener: Json): string {
  const address = objectOf(at(listener, 'address', 'socket_address'));
  const host = textOf(address['address']);
  return `${host.includes(':') ? `[${host}]` : host}:${textOf(address['port_value'])}`;
}
