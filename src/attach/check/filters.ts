import { abilitiesHeader, usageHeader, type UsageMode } from '../names.ts';
import { limits } from '../../lib/limits.ts';
import { seconds } from '../breakers.ts';
import { messageMs, requestFilter, waits } from '../ext-proc.ts';
import { at, listOf, msOf, objectOf, textOf, type Json, type Path } from './config.ts';
import type { Findings } from './findings.ts';

/** Sluice's filters in one connection manager, as positions in `http_filters`; -1 if absent. */
export interface SluiceFilters {
  readonly request: number;
  readonly response: number;
  readonly usage: UsageMode;
  /** Name of the request filter, by which routes can disable it. */
  readonly name: string;
  /** The cluster called by the request filter. */
  readonly cluster: string;
}

/** The filters of a connection manager that call Sluice; null if none does. */
export function sluiceFilters(manager: Json, sluiceClusters: ReadonlySet<string>): SluiceFilters | null {
  const filters = listOf(manager['http_filters']).map(objectOf);
  const ours = filters.map((filter) => {
    const config = processorOf(filter);
    return config !== null && (sluiceClusters.has(clusterOf(config)) || textOf(filter['name']).includes('sluice')) ? config : null;
  });
  const request = ours.findIndex((config) => config !== null && config['observability_mode'] !== true);
  if (request < 0) return null;
  const response = ours.findIndex((config) => config?.['observability_mode'] === true);
  const type = (filter: Json): string => textOf(at(filter, 'typed_config', '@type'));
  const collects = filters.some((filter) => type(filter).endsWith('.lua.v3.Lua') && JSON.stringify(filter).includes('sluice.answer'));
  const manages = filters.some((filter) => type(filter).endsWith('.AiProtocolManager'));
  return {
    request,
    response,
    usage: collects ? 'collect' : manages ? 'protocol-manager' : 'observe',
    name: textOf(filters[request]!['name']),
    cluster: clusterOf(ours[request]!),
  };
}

/** The settings of an ext_proc filter, with or without a matcher around them; null for any other filter. */
function processorOf(filter: Json): Json | null {
  const config = objectOf(filter['typed_config']);
  const inner = textOf(config['@type']).endsWith('.ExtensionWithMatcher')
    ? objectOf(at(config, 'extension_config', 'typed_config'))
    : config;
  return textOf(inner['@type']).endsWith('.ext_proc.v3.ExternalProcessor') ? inner : null;
}

function clusterOf(config: Json): string {
  return textOf(at(config, 'grpc_service', 'envoy_grpc', 'cluster_name') ?? '');
}

/** Checks order, modes and limits of Sluice's filters in one manager. */
export function checkFilters(findings: Findings, manager: Json, path: Path, found: SluiceFilters): void {
  const filters = listOf(manager['http_filters']).map(objectOf);
  const request = [...path, 'http_filters', found.request];
  checkOrder(findings, filters, [...path, 'http_filters'], found);
  checkRequest(findings, processorOf(filters[found.request]!)!, [...request, 'typed_config']);
  for (const index of [found.request, found.response]) {
    if (index >= 0 && filters[index]!['disabled'] === true)
      findings.error([...path, 'http_filters', index, 'disabled'], 'this filter of Sluice is switched off.', 'Remove `disabled: true`.');
  }
  if (found.response < 0) {
    findings.error(
      [...path, 'http_filters'],
      'no filter shows Sluice the answers (`envoy.filters.http.ext_proc.sluice_response`): tokens, cost and failures stay unknown, and the cache keeps nothing.',
      'Add the filters before sluice_request that `sluice render envoy --snippet` has.',
    );
    return;
  }
  checkResponse(findings, processorOf(filters[found.response]!)!, [...path, 'http_filters', found.response, 'typed_config']);
}

function checkOrder(findings: Findings, filters: readonly Json[], path: Path, { request, response }: SluiceFilters): void {
  const last = filters.length - 1;
  if (!textOf(at(filters[last], 'typed_config', '@type')).endsWith('.router.v3.Router'))
    findings.error([...path, last], 'the last filter is not the router: the request ends nowhere.', 'Put envoy.filters.http.router last.');
  if (response > request)
    findings.error(
      [...path, response],
      'the filter that sees answers comes after the one that decides: answers pass it before they are whole, and those from the cache not at all.',
      'Put sluice_response, and the filter that collects answers, before sluice_request.',
    );
  for (const [index, filter] of filters.entries()) {
    const type = textOf(at(filter, 'typed_config', '@type'));
    const name = textOf(filter['name']);
    if (index > request && /\.(jwt_authn|ext_authz|rbac|basic_auth|api_key_auth|oauth2)\.v3\./.test(type))
      findings.error(
        [...path, index],
        `${name} comes after Sluice: a request that it refuses has been decided, counted in budgets, and may have been answered from the cache.`,
        'Put it before sluice_request and its filters.',
      );
    if (index < request && /\.buffer\.v3\.Buffer$/.test(type))
      findings.warning(
        [...path, index],
        `${name} holds bodies before Sluice asks for them; what is larger than its limit gets 413.`,
        'Remove it on these routes, or raise max_request_bytes.',
      );
    if (response >= 0 && index > response && /\.compressor\.v3\.Compressor$/.test(type))
      findings.warning(
        [...path, index],
        `${name} compresses answers before Sluice sees them: usage must be read from compressed streams.`,
        "Put it before Sluice's filters: the first filter is the last one that an answer passes.",
      );
  }
}

function checkRequest(findings: Findings, config: Json, path: Path): void {
  const mode = objectOf(config['processing_mode']);
  const modePath = [...path, 'processing_mode'];
  if (at(config, 'grpc_service', 'google_grpc') !== undefined)
    findings.error(
      [...path, 'grpc_service', 'google_grpc'],
      "Sluice is reached by Envoy's own gRPC client.",
      'Use envoy_grpc with the cluster of the snippet.',
    );
  if (config['allow_mode_override'] !== true)
    findings.error(path, 'Sluice may not ask for the body (allow_mode_override): nothing is decided.', 'Set allow_mode_override: true.');
  if (mode['request_header_mode'] === 'SKIP')
    findings.error(modePath, 'Sluice does not see requests (request_header_mode: SKIP).', 'Set request_header_mode: SEND.');
  const body = mode['request_body_mode'] ?? 'NONE';
  if (body !== 'NONE')
    findings.warning(
      modePath,
      `every body is sent to Sluice, those that it cannot use too (request_body_mode: ${textOf(body)}).`,
      'Set request_body_mode: NONE: Sluice asks for the bodies that it needs.',
    );
  if (mode['response_header_mode'] !== 'SKIP')
    findings.warning(
      modePath,
      'every answer waits for Sluice, which has nothing to say to it (response_header_mode is not SKIP).',
      'Set response_header_mode: SKIP.',
    );
  if ((mode['response_body_mode'] ?? 'NONE') !== 'NONE')
    findings.error(
      modePath,
      `answers are held for Sluice (response_body_mode: ${textOf(mode['response_body_mode'])}).`,
      'Set response_body_mode: NONE.',
    );
  for (const rule of ['allow_all_routing', 'allow_envoy']) {
    if (at(config, 'mutation_rules', rule) !== true)
      findings.error(
        [...path, 'mutation_rules'],
        `Envoy drops headers by which Sluice leads a request (mutation_rules.${rule}): other providers and chains are not reached.`,
        `Set mutation_rules: { allow_all_routing: true, allow_envoy: true }.`,
      );
  }
  if (!listOf(at(config, 'metadata_options', 'receiving_namespaces', 'untyped')).includes('sluice'))
    findings.error(
      [...path, 'metadata_options'],
      'Envoy drops what Sluice decided (metadata_options.receiving_namespaces.untyped): no x-sluice-* headers, no chains, no record of the answer.',
      'Set metadata_options: { receiving_namespaces: { untyped: [sluice] } }.',
    );
  checkTimes(findings, config, path);
}

function checkTimes(findings: Findings, config: Json, path: Path): void {
  const patience = msOf(config['message_timeout']);
  const wanted = messageMs(findings.options);
  if (patience === null)
    findings.error(
      path,
      `Envoy waits 0.2 s for Sluice, which may take ${seconds(limits.messageMs)} (message_timeout is not set).`,
      `Set message_timeout: ${seconds(wanted)}.`,
    );
  else if (patience < limits.messageMs)
    findings.error(
      [...path, 'message_timeout'],
      `Envoy waits ${seconds(patience)} for Sluice, which may take ${seconds(limits.messageMs)}.`,
      `Set message_timeout: ${seconds(wanted)}.`,
    );
  else if (patience < wanted)
    findings.warning(
      [...path, 'message_timeout'],
      `the policy blocks requests by what they hold, or is failClosed, and one that waits longer than ${seconds(patience)} passes undecided, or gets 503.`,
      `Set message_timeout: ${seconds(wanted)}.`,
    );
  if (waits(findings.options) && at(config, 'grpc_service', 'retry_policy') === undefined)
    findings.warning(
      [...path, 'grpc_service'],
      'the policy blocks requests by what they hold, or is failClosed, and what Sluice has not answered when it ends passes undecided, or gets 503 (retry_policy).',
      `Set retry_policy: ${JSON.stringify(at(requestFilter(findings.options), 'grpc_service', 'retry_policy'))}.`,
    );
  if ((msOf(config['max_message_timeout']) ?? 0) < limits.bodyWaitMs)
    findings.warning(
      path,
      'Sluice cannot ask for more time (max_message_timeout): requests that wait for an identical one, a large body or Redis pass undecided.',
      `Set max_message_timeout: ${seconds(limits.bodyWaitMs)}.`,
    );
  const open = config['failure_mode_allow'] === true;
  if (open && findings.options.failClosed)
    findings.error(
      [...path, 'failure_mode_allow'],
      'the policy is failClosed, and Envoy lets requests pass without Sluice.',
      'Set failure_mode_allow: false and status_on_error: { code: ServiceUnavailable }.',
    );
  if (!open && !findings.options.failClosed)
    findings.warning(
      path,
      'requests get an error while Sluice cannot be reached (failure_mode_allow), and the policy is not failClosed.',
      'Set failure_mode_allow: true, or failClosed: true in the policy.',
    );
}

function checkResponse(findings: Findings, config: Json, path: Path): void {
  const mode = objectOf(config['processing_mode']);
  if (mode['request_header_mode'] !== 'SKIP')
    findings.error(
      [...path, 'processing_mode'],
      'the filter for answers also takes requests (request_header_mode is not SKIP).',
      'Set request_header_mode: SKIP.',
    );
  if (mode['response_header_mode'] === 'SKIP')
    findings.error(
      [...path, 'processing_mode'],
      'Sluice does not see the status of answers (response_header_mode: SKIP).',
      'Set response_header_mode: SEND.',
    );
  if (mode['response_body_mode'] !== 'STREAMED')
    findings.error(
      [...path, 'processing_mode'],
      'Sluice does not see answers as they pass (response_body_mode is not STREAMED).',
      'Set response_body_mode: STREAMED.',
    );
  if (!listOf(at(config, 'metadata_options', 'forwarding_namespaces', 'untyped')).includes('sluice'))
    findings.error(
      [...path, 'metadata_options'],
      'Sluice cannot tell whose answer a copy is (metadata_options.forwarding_namespaces.untyped).',
      'Set metadata_options: { forwarding_namespaces: { untyped: [sluice] } }.',
    );
}

/** Checks the headers in which Envoy describes itself to Sluice. */
function checkTold(findings: Findings, mutations: readonly Json[], path: Path, usage: SluiceFilters['usage']): void {
  const set = (name: string): unknown =>
    mutations
      .map((mutation) => at(mutation, 'append', 'header'))
      .map(objectOf)
      .find(({ key }) => key === name)?.['value'];
  const said = set(usageHeader) ?? 'observe';
  if (said !== usage)
    findings.error(
      path,
      `Envoy tells Sluice that answers come by \`${textOf(said)}\`, and its filters do \`${usage}\`: no answer is read.`,
      `Take early_header_mutation_extensions and http_filters from one snippet (--usage ${usage}).`,
    );
  const { name } = findings.options.abilities;
  const style = set(abilitiesHeader) ?? 'groups';
  if (style !== name)
    findings.error(
      path,
      `Envoy tells Sluice that it takes chains as \`${textOf(style)}\`; this version takes them as \`${name}\`.`,
      'Take the snippet for the Envoy that runs: --envoy-version.',
    );
}

/** Checks the connection manager's settings around the filters: client headers, the access log, time-outs and paths. */
export function checkManager(findings: Findings, manager: Json, path: Path, { usage }: SluiceFilters): void {
  const wanted = findings.wanted.http_connection_manager;
  const mutations = listOf(manager['early_header_mutation_extensions'])
    .flatMap((one) => listOf(at(one, 'typed_config', 'mutations')))
    .map(objectOf);
  const removed = new Set(mutations.map(({ remove }) => remove));
  const missing = mutationsOf(wanted).flatMap(({ remove }) => (typeof remove === 'string' && !removed.has(remove) ? [remove] : []));
  if (missing.length > 0)
    findings.error(
      path,
      `clients may send headers that lead a request (${missing.join(', ')}): anybody could choose the provider, and the gateway's key with it.`,
      'Add the early_header_mutation_extensions of the snippet.',
    );
  checkTold(findings, mutations, path, usage);
  const logs = listOf(manager['access_log']).map(objectOf);
  if (!logs.some((log) => at(log, 'typed_config', 'common_config', 'log_name') === 'sluice_answers')) {
    const tell = usage === 'observe' ? findings.warning.bind(findings) : findings.error.bind(findings);
    tell(
      path,
      usage === 'observe'
        ? 'clients that leave before their answer are not told to Sluice (access_log sluice_answers).'
        : 'answers never reach Sluice: they come by the access log sluice_answers.',
      'Add the access_log of the snippet.',
    );
  }
  for (const [name, why] of managerTimes) {
    const least = msOf(wanted[name])!;
    const value = msOf(manager[name]);
    const enough = value === 0 || (value ?? defaults[name]!) >= least;
    if (!enough)
      findings.warning(
        manager[name] === undefined ? path : [...path, name],
        `${name} is ${value === null ? `Envoy's ${seconds(defaults[name]!)}` : seconds(value)}: ${why}.`,
        `Set ${name}: ${textOf(wanted[name])}.`,
      );
  }
  if (manager['normalize_path'] !== true)
    findings.warning(
      path,
      'paths are not brought into one form (normalize_path): Sluice may read another API than the provider.',
      'Set normalize_path: true and merge_slashes: true.',
    );
}

const managerTimes = [['stream_idle_timeout', 'a model that thinks for longer loses its request']] as const;
const defaults: Readonly<Record<string, number>> = { stream_idle_timeout: 300_000 };

function mutationsOf(manager: Json): Json[] {
  return listOf(manager['early_header_mutation_extensions'])
    .flatMap((one) => listOf(at(one, 'typed_config', 'mutations')))
    .map(objectOf);
}
