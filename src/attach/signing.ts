import { appKeyHeaders } from '../apis/key-headers.ts';
import type { AwsSigning } from '../policy/types.ts';
import { upstreamCodec } from './chains.ts';

type Json = Readonly<Record<string, unknown>>;

const http = 'type.googleapis.com/envoy.extensions';

/**
 * Removes every key from a request and signs its final form: filters of a cluster run in order, so the body is the output of the attempt's
 * filter. `host`: the provider's, which the signature covers.
 */
export function signingFilters(aws: AwsSigning, host: string): Json[] {
  const provider =
    aws.file === null
      ? {}
      : {
          credential_provider: {
            custom_credential_provider_chain: true,
            credentials_file_provider: {
              credentials_data_source: { filename: aws.file },
              ...(aws.profile === null ? {} : { profile: aws.profile }),
            },
          },
        };
  return [
    {
      name: 'envoy.filters.http.header_mutation',
      typed_config: {
        '@type': `${http}.filters.http.header_mutation.v3.HeaderMutation`,
        mutations: { request_mutations: appKeyHeaders.map((remove) => ({ remove })) },
      },
    },
    {
      name: 'envoy.filters.http.aws_request_signing',
      typed_config: {
        '@type': `${http}.filters.http.aws_request_signing.v3.AwsRequestSigning`,
        service_name: aws.service,
        region: aws.region,
        host_rewrite: host,
        ...provider,
      },
    },
  ];
}

/** The same for a cluster without other filters. */
export function signedOnly(filters: readonly Json[]): Json {
  return {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${http}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http_protocol_options: {} },
      http_filters: [...filters, upstreamCodec],
    },
  };
}
