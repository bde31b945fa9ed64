import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { collectScript } from './collect-script.ts';
import { grpcService, responseFilter } from './ext-proc.ts';
import { sluiceClusterName, type UsageMode } from './names.ts';
import { abilitiesOf } from './abilities.ts';

type Json = Readonly<Record<string, unknown>>;

const http = 'type.googleapis.com/envoy.extensions';

/** User choices; see usageModeOf. */
export const usageChoices = ['auto', 'collect', 'protocol-manager', 'observe'] as const;
export type UsageChoice = (typeof usageChoices)[number];

/** How often Envoy sends its access log. An answer's record waits until then. */
const flushInterval = '0.05s';

/**
 * How Sluice receives answers. `auto`: collected by Envoy if Sluice runs beside it, on a Unix socket; otherwise copies, because an access
 * log is one long call and may reach another replica than its requests. Throws SLUICE_CLI_USAGE if `version` does not support the choice.
 */
export function usageModeOf(choice: UsageChoice, version: string, sluice: string): UsageMode {
  if (choice === 'protocol-manager' && !abilitiesOf(version).protocolManager) {
    throw new SluiceError('SLUICE_CLI_USAGE', `Envoy ${version} has no AI Protocol Manager.`, {
      where: '--usage',
      fix: 'Say auto, collect or observe, or use Envoy 1.40.',
    });
  }
  if (choice !== 'auto') return choice;
  return sluice.startsWith('unix:') ? 'collect' : 'observe';
}

/** Parses a request header's value; absent means observe, which needs no header. */
export function usageModeOfHeader(value: string | undefined): UsageMode {
  return value === 'collect' || value === 'protocol-manager' || value === 'inline' ? value : 'observe';
}

/** The filters that report answers to Sluice, outermost first. They come before the request filter, so answers reach them last. */
export function answerFilters(usage: UsageMode, cluster = sluiceClusterName): { readonly name: string; readonly typed_config: Json }[] {
  const copies = { name: 'envoy.filters.http.ext_proc.sluice_response', typed_config: responseFilter(usage, cluster) };
  switch (usage) {
    case 'inline':
      return [];
    case 'observe':
      return [copies];
    case 'collect':
      return [
        {
          name: collectorName,
          typed_config: { '@type': `${http}.filters.http.lua.v3.Lua`, default_source_code: { inline_string: collectScript } },
        },
        copies,
      ];
    case 'protocol-manager':
      return [{ name: protocolManagerName, typed_config: protocolManager() }, copies];
  }
}

const collectorName = 'envoy.filters.http.lua.sluice_answer';
const protocolManagerName = 'envoy.filters.http.ai_protocol_manager';

/** Reads passing answers and leaves their usage as typed metadata; ignores requests. */
function protocolManager(): Json {
  return {
    '@type': `${http}.filters.http.ai_protocol_manager.v3.AiProtocolManager`,
    response_handling: {
      token_usage: {
        include_unconfigured_routes: true,
        limits: { max_sse_event_size: limits.sseEventBytes, max_json_body_size: limits.answerBytes },
      },
    },
  };
}

/**
 * Envoy's access log for Sluice: exchanges whose answer Sluice reads from it, and decided ones whose client left before any response
 * headers. Sent in batches; contains nothing about other requests.
 */
export function answerLog(usage: UsageMode, cluster = sluiceClusterName): Json {
  const unanswered = {
    and_filter: {
      filters: [
        { status_code_filter: { comparison: { op: 'LE', value: { default_value: 99, runtime_key: 'sluice.unanswered_status' } } } },
        inMetadata('id', { present_match: true }),
      ],
    },
  };
  return {
    name: 'envoy.access_loggers.http_grpc',
    filter:
      usage === 'observe' ? unanswered : { or_filter: { filters: [inMetadata('answer', { string_match: { exact: 'log' } }), unanswered] } },
    typed_config: {
      '@type': `${http}.access_loggers.grpc.v3.HttpGrpcAccessLogConfig`,
      common_config: {
        log_name: 'sluice_answers',
        transport_api_version: 'V3',
        grpc_service: grpcService('listener', cluster),
        ...(usage === 'observe' ? {} : { buffer_flush_interval: flushInterval, buffer_size_bytes: 64 * 1024 }),
      },
      ...(usage === 'observe' ? {} : { additional_response_headers_to_log: ['content-type', 'content-encoding'] }),
    },
  };
}

/** A filter of logs and local replies by Sluice's metadata of the request. */
export function inMetadata(key: string, value: Json): Json {
  return { metadata_filter: { matcher: { filter: 'sluice', path: [{ key }], value }, match_if_key_not_found: false } };
}
