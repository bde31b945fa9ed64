import { retryHeader, chainHeader, clusterHeader } from '../names.ts';
import { reservedHeaders } from '../render.ts';
import { isSluices } from '../snippet.ts';
import { at, listOf, msOf, objectOf, textOf, type Json, type Path, type Placed } from './config.ts';
import type { SluiceFilters } from './filters.ts';
import type { Findings } from './findings.ts';

/** Shortest acceptable response time-out, in ms. */
const leastTimeoutMs = 60_000;

/** The routes of a connection manager; null if they come from a control plane and are unknown. */
export function routesOf(findings: Findings, manager: Json, path: Path): Placed | null {
  const inline = manager['route_config'];
  if (inline !== undefined) return { value: objectOf(inline), path: [...path, 'route_config'] };
  return findings.config.routes.get(textOf(at(manager, 'rds', 'route_config_name'))) ?? null;
}

/** Checks every virtual host of a connection manager that calls Sluice. */
export function checkRoutes(findings: Findings, manager: Json, path: Path, filters: SluiceFilters): void {
  const config = routesOf(findings, manager, path);
  if (config === null) {
    findings.warning(
      path,
      'the routes come from a control plane, so they are not in this file.',
      'Check the running Envoy: sluice doctor --envoy-admin HOST:PORT.',
    );
    return;
  }
  for (const [index, host] of listOf(config.value['virtual_hosts']).map(objectOf).entries())
    checkHost(findings, host, [...config.path, 'virtual_hosts', index], filters);
}

function checkHost(findings: Findings, host: Json, path: Path, filters: SluiceFilters): void {
  const wanted = findings.wanted.virtual_host;
  const routes = listOf(host['routes']).map(objectOf);
  const names = (value: unknown): string[] => listOf(value).map((one) => textOf(at(one, 'header', 'key') ?? one));
  const lacks = (member: string): string[] => {
    const has = new Set(names(host[member]));
    return names(wanted[member]).filter((name) => !has.has(name));
  };
  const added = lacks('response_headers_to_add');
  if (added.length > 0)
    findings.warning(
      path,
      `apps are not told what was decided (response_headers_to_add lacks ${added.join(', ')}).`,
      'Add response_headers_to_add of the snippet.',
    );
  const removed = lacks('request_headers_to_remove');
  if (removed.length > 0)
    findings.warning(
      path,
      `providers see what apps tell Sluice (request_headers_to_remove lacks ${removed.join(', ')}).`,
      'Add request_headers_to_remove of the snippet.',
    );
  if (!names(host['response_headers_to_remove']).includes(retryHeader))
    findings.warning(
      path,
      `apps see ${retryHeader}, which is for Envoy (response_headers_to_remove).`,
      'Add response_headers_to_remove of the snippet.',
    );
  if (wanted['request_mirror_policies'] !== undefined && host['request_mirror_policies'] === undefined)
    findings.warning(path, 'shadow experiments send no copies (request_mirror_policies).', 'Add request_mirror_policies of the snippet.');
  checkLed(findings, routes, [...path, 'routes']);
  for (const [index, route] of routes.entries()) if (!isSluices(route)) checkRoute(findings, route, [...path, 'routes', index], filters);
}

/** Checks that the routes selected by Sluice's headers exist and come first. */
function checkLed(findings: Findings, routes: readonly Json[], path: Path): void {
  const wanted = listOf(findings.wanted.virtual_host['routes']).map(objectOf);
  const has = new Set(routes.flatMap(ledBy));
  const missing = [...new Set(wanted.flatMap(ledBy))].filter((key) => !has.has(key));
  if (missing.length > 0) {
    findings.error(
      path,
      `requests that Sluice sends elsewhere have no route (${missing.join(', ')}): they would reach the provider of their path, with another provider's key or model.`,
      "Put the virtual host's routes of the snippet before its own.",
    );
    return;
  }
  const first = routes.findIndex((route) => !isSluices(route));
  const late = routes.findLastIndex(isSluices);
  if (first >= 0 && late > first)
    findings.error(
      [...path, first],
      'this route comes before those of Sluice: a request that Sluice sends elsewhere may take it.',
      "Put the virtual host's routes of the snippet first.",
    );
}

/** `header` or `header=value` that selects one of Sluice's routes. */
function ledBy(route: Json): string[] {
  return listOf(at(route, 'match', 'headers'))
    .map(objectOf)
    .filter(({ name }) => name === chainHeader || name === clusterHeader)
    .map((header) => {
      const exact = at(header, 'string_match', 'exact') ?? header['exact_match'];
      return exact === undefined ? textOf(header['name']) : `${textOf(header['name'])}: ${textOf(exact)}`;
    });
}

function checkRoute(findings: Findings, route: Json, path: Path, filters: SluiceFilters): void {
  const action = objectOf(route['route']);
  if (route['route'] === undefined) return;
  const timeout = msOf(action['timeout']) ?? 15_000;
  const websocket = JSON.stringify(route['match'] ?? {}).includes('websocket');
  if (timeout > 0 && timeout < leastTimeoutMs)
    findings.error(
      [...path, 'route'],
      `answers that take longer than ${timeout / 1_000} s are cut off with 504 (timeout${action['timeout'] === undefined ? " is not set, and Envoy's is 15 s" : ''}).`,
      'Set timeout: 0s and idle_timeout: 900s.',
    );
  const retryOn = textOf(at(action, 'retry_policy', 'retry_on') ?? '');
  if (/\b(5xx|gateway-error|retriable-4xx|retriable-status-codes)\b/.test(retryOn))
    findings.warning(
      [...path, 'route', 'retry_policy'],
      `Envoy asks the same provider again by itself (${retryOn}), unseen by Sluice: each attempt may cost.`,
      'Leave retries to the policy (fallback), or keep to connect-failure,refused-stream,reset-before-request.',
    );
  const off = Object.entries(objectOf(route['typed_per_filter_config'])).find(
    ([name, value]) => name === filters.name && at(value, 'disabled') === true,
  );
  if (off !== undefined && !websocket)
    findings.warning(
      [...path, 'typed_per_filter_config'],
      'Sluice is switched off on this route: its requests are not decided.',
      'Remove it, if they should be.',
    );
  const reserved = listOf(route['request_headers_to_add'])
    .map((one) => textOf(at(one, 'header', 'key')).toLowerCase())
    .filter((name) => (reservedHeaders as readonly string[]).includes(name));
  if (reserved.length > 0)
    findings.error(
      [...path, 'request_headers_to_add'],
      `this route sets headers that only Sluice may set: ${reserved.join(', ')}.`,
      'Remove them.',
    );
}
