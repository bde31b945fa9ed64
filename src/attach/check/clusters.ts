import { limits } from '../../lib/limits.ts';
import { sluiceClusterName } from '../names.ts';
import { at, listOf, msOf, objectOf, textOf, type Json, type Path, type Placed } from './config.ts';
import type { Findings } from './findings.ts';

const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** The addresses of a cluster: `unix:/path`, `host:port`, or the listener inside Envoy. */
export function addressesOf(cluster: Json): string[] {
  return listOf(at(cluster, 'load_assignment', 'endpoints'))
    .flatMap((group) => listOf(at(group, 'lb_endpoints')))
    .map((endpoint) => objectOf(at(endpoint, 'endpoint', 'address')))
    .map((address) => {
      const pipe = at(address, 'pipe', 'path');
      if (pipe !== undefined) return `unix:${textOf(pipe)}`;
      const internal = at(address, 'envoy_internal_address', 'server_listener_name');
      if (internal !== undefined) return `envoy://${textOf(internal)}`;
      return `${textOf(at(address, 'socket_address', 'address'))}:${textOf(at(address, 'socket_address', 'port_value'))}`;
    });
}

/** Names of the clusters with Sluice's address, including the name in the rendered config. */
export function clustersToSluice(clusters: readonly Placed[], sluice: string): Set<string> {
  return new Set([
    sluiceClusterName,
    ...clusters.filter(({ value }) => addressesOf(value).includes(plain(sluice))).map(({ value }) => textOf(value['name'])),
  ]);
}

/** `[::1]:9000` as written in Envoy's config. */
function plain(address: string): string {
  return address.startsWith('unix:') ? address : address.replace(/[[\]]/g, '');
}

/** Checks the cluster of Sluice: it exists, has the right address, HTTP/2, and sufficient limits. */
export function checkSluiceCluster(findings: Findings, name: string): void {
  const { sluice } = findings.options;
  const found = findings.config.clusters.find(({ value }) => value['name'] === name);
  if (found === undefined) {
    findings.error(
      ['static_resources', 'clusters'],
      `the filters call a cluster ${name || '(none)'}, which is not there: nothing is decided.`,
      'Add the cluster `sluice` of the snippet.',
    );
    return;
  }
  const addresses = addressesOf(found.value);
  if (!addresses.includes(plain(sluice)))
    findings.error(
      [...found.path, 'load_assignment'],
      `the cluster ${name} leads to ${addresses.join(', ') || 'nothing'}, and Sluice listens at ${sluice}: nothing is decided.`,
      `Point it at ${sluice}, or start Sluice with --listen ${addresses[0] ?? sluice}.`,
    );
  const http = objectOf(at(found.value, 'typed_extension_protocol_options', options));
  const http2 = at(http, 'explicit_http_config', 'http2_protocol_options') ?? found.value['http2_protocol_options'];
  if (http2 === undefined)
    findings.error(
      found.path,
      `the cluster ${name} does not speak HTTP/2, and gRPC needs it: nothing is decided.`,
      'Add typed_extension_protocol_options of the snippet.',
    );
  else checkUnsent(findings, found, http2);
  checkBreakers(findings, found, 'requests pass undecided');
}

/** Data waiting for Sluice must not reach a watermark: there Envoy crashes with a segmentation fault. */
function checkUnsent(findings: Findings, { value, path }: Placed, http2: unknown): void {
  const lowest = Math.min(
    Number(value['per_connection_buffer_limit_bytes'] ?? 1024 * 1024),
    Number(at(http2, 'initial_stream_window_size') ?? 16 * 1024 * 1024),
  );
  if (lowest < limits.envoyUnsentBytes)
    findings.warning(
      path,
      `a provider's answer of more than ${Math.floor(lowest / 1024)} KiB that Sluice looks into as a whole can end Envoy with a segmentation fault (per_connection_buffer_limit_bytes, initial_stream_window_size of ${textOf(value['name'])}).`,
      'Take per_connection_buffer_limit_bytes and http2_protocol_options of the snippet.',
    );
}

function checkBreakers(findings: Findings, { value, path }: Placed, then: string): void {
  const most = Number(at(value, 'circuit_breakers', 'thresholds', 0, 'max_requests') ?? 1_024);
  const wanted = findings.wanted.clusters.find(({ name }) => name === value['name']) ?? findings.wanted.clusters[0]!;
  const enough = Number(at(wanted, 'circuit_breakers', 'thresholds', 0, 'max_requests'));
  if (most <= 1_024 && enough > most)
    findings.warning(
      [...path, 'circuit_breakers'],
      `beyond ${most} requests at a time ${then} (circuit_breakers of ${textOf(value['name'])}).`,
      'Add circuit_breakers of the snippet.',
    );
}

/** Checks the clusters named in routes and chains of the snippet. */
export function checkProviderClusters(findings: Findings): void {
  const have = new Map(findings.config.clusters.map((cluster) => [textOf(cluster.value['name']), cluster]));
  // Clusters from a control plane are not in a file.
  const absent: string[] = [];
  for (const wanted of findings.wanted.clusters) {
    const name = textOf(wanted['name']);
    if (name === sluiceClusterName) continue;
    const found = have.get(name);
    if (found === undefined) absent.push(name);
    else checkProviderCluster(findings, found, wanted);
  }
  if (absent.length > 0 && !findings.config.partial)
    findings.error(
      ['static_resources', 'clusters'],
      `clusters that routes of Sluice lead to are not there: ${absent.join(', ')}. Their requests get 503.`,
      'Add the clusters of the snippet.',
    );
}

function checkProviderCluster(findings: Findings, found: Placed, wanted: Json): void {
  const { value, path } = found;
  const name = textOf(value['name']);
  const [leads, should] = [addressesOf(value), addressesOf(wanted)];
  if (leads.join() !== should.join())
    findings.error(
      [...path, 'load_assignment'],
      `the cluster ${name} leads to ${leads.join(', ') || 'nothing'}, and the policy's provider is at ${should.join(', ')}.`,
      'Take the cluster from a snippet of the policy that Sluice has.',
    );
  if (wanted['transport_socket'] !== undefined && value['transport_socket'] === undefined)
    findings.error(
      path,
      `the cluster ${name} speaks no TLS: keys and prompts would travel in the clear.`,
      'Add transport_socket of the snippet.',
    );
  else if (
    wanted['transport_socket'] !== undefined &&
    at(value, 'transport_socket', 'typed_config', 'common_tls_context', 'validation_context') === undefined &&
    at(value, 'transport_socket', 'typed_config', 'common_tls_context', 'combined_validation_context') === undefined
  ) {
    findings.error(
      [...path, 'transport_socket'],
      `the cluster ${name} does not check the provider's certificate: anybody could take the keys.`,
      'Add validation_context of the snippet.',
    );
  }
  checkBreakers(findings, found, 'they get 503');
  checkAttemptFilter(findings, found, wanted);
}

/** Checks the filters in the cluster of a chain's attempt: without them an attempt sends a request that was meant for another target. */
function checkAttemptFilter(findings: Findings, { value, path }: Placed, wanted: Json): void {
  const names = (cluster: Json): string[] =>
    listOf(at(cluster, 'typed_extension_protocol_options', options, 'http_filters')).map((filter) => textOf(at(filter, 'name')));
  const has = names(value);
  const missing = names(wanted).filter((name) => !has.includes(name));
  const filtersPath: Path = [...path, 'typed_extension_protocol_options', options, 'http_filters'];
  if (missing.length > 0) {
    findings.error(
      has.length === 0 ? path : filtersPath,
      `the cluster ${textOf(value['name'])} lacks filters (${missing.join(', ')}): attempts of chains go out unchanged, with another target's model and key.`,
      'Add typed_extension_protocol_options of the snippet.',
    );
    return;
  }
  const order = has.filter((name) => names(wanted).includes(name));
  if (order.join() !== names(wanted).join())
    findings.error(
      filtersPath,
      `filters of the cluster ${textOf(value['name'])} are in another order than ${names(wanted).join(', ')}.`,
      'Take the order of the snippet.',
    );
  for (const [index, filter] of listOf(at(value, 'typed_extension_protocol_options', options, 'http_filters'))
    .map(objectOf)
    .entries()) {
    const model = listOf(at(wanted, 'typed_extension_protocol_options', options, 'http_filters'))
      .map(objectOf)
      .find(({ name }) => name === filter['name']);
    if (model !== undefined && textOf(at(model, 'typed_config', '@type')).endsWith('.ExternalProcessor'))
      checkAttemptProcessor(
        findings,
        [...filtersPath, index, 'typed_config'],
        objectOf(filter['typed_config']),
        objectOf(model['typed_config']),
      );
  }
}

const modes = ['request_header_mode', 'request_body_mode', 'response_header_mode', 'response_body_mode', 'response_trailer_mode'] as const;

function checkAttemptProcessor(findings: Findings, path: Path, found: Json, wanted: Json): void {
  const mode = (config: Json, name: string): unknown => {
    const value = at(config, 'processing_mode', name);
    // Envoy omits default values.
    return value === undefined || value === 'DEFAULT'
      ? name.endsWith('body_mode')
        ? 'NONE'
        : name.endsWith('trailer_mode')
          ? 'SKIP'
          : 'SEND'
      : value;
  };
  const different = modes.filter((name) => mode(found, name) !== mode(wanted, name));
  if (different.length > 0)
    findings.error(
      [...path, 'processing_mode'],
      `an attempt is not followed as Sluice needs it (${different.map((name) => `${name}: ${textOf(mode(found, name))} instead of ${textOf(mode(wanted, name))}`).join(', ')}).`,
      'Take processing_mode of the snippet.',
    );
  const open = found['failure_mode_allow'] === true;
  if (open && wanted['failure_mode_allow'] !== true)
    findings.error(
      [...path, 'failure_mode_allow'],
      "an attempt goes out when Sluice cannot be reached, with another target's model and key.",
      'Remove failure_mode_allow.',
    );
  if ((msOf(found['message_timeout']) ?? 200) < msOf(wanted['message_timeout'])!)
    findings.warning(
      path,
      `Envoy waits less for Sluice than an attempt may take (message_timeout).`,
      `Set message_timeout: ${textOf(wanted['message_timeout'])}.`,
    );
  const role = (config: Json): unknown => at(config, 'grpc_service', 'initial_metadata', 0, 'value');
  if (role(found) !== role(wanted))
    findings.error(
      [...path, 'grpc_service'],
      `Sluice is not told that this is an attempt (initial_metadata: ${textOf(role(wanted))}).`,
      'Take grpc_service of the snippet.',
    );
}

/** Clusters whose endpoints are hosts of the policy's providers, by cluster name. */
export function clustersOfProviders(findings: Findings): Map<string, string> {
  const hosts = new Set(findings.options.providers.flatMap(({ endpoint, hosts: names }) => [new URL(endpoint).hostname, ...names]));
  const found = new Map<string, string>();
  for (const { value } of findings.config.clusters) {
    const host = addressesOf(value)
      .map((address) => address.replace(/:\d+$/, ''))
      .find((one) => hosts.has(one));
    if (host !== undefined) found.set(textOf(value['name']), host);
  }
  return found;
}
