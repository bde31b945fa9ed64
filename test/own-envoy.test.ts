/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return -- Envoy's config: its shape is Envoy's, and the tests change all of it */
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { checkEnvoy, configOfFile } from '../src/attach/check/index.ts';
import { abilitiesOf } from '../src/attach/abilities.ts';
import { loadCatalog } from '../src/catalog/index.ts';
import { Stack } from '../src/demo/stack.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import { readPolicyFiles } from '../src/policy/source.ts';
import { clusterOf, filterOf, hostOf, managerOf, ownEnvoy, sluice, withSnippet, type Any } from './support/own-envoy.ts';
import { ScriptedProvider, status, well } from './support/scripted-provider.ts';
import { recordOf } from './support/record.ts';

const policy = `
version: 1
providers:
  far: { dialect: openai, endpoint: https://llm.example.com, pathPrefix: /far }
defaults:
  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }
  fallback: { escalate: true }
sections:
  - { name: openai, match: { provider: [openai] } }
`;
const request = 'envoy.filters.http.ext_proc.sluice_request';
const response = 'envoy.filters.http.ext_proc.sluice_response';

const catalog = await loadCatalog();
const provider = new ScriptedProvider();
let endpoint = '';
/** An Envoy of somebody's own with the snippet in it: what the tests below break. */
let whole: Any = {};
let stack: Stack;

/** A stack whose Envoy is somebody's own, changed by `change` after the snippet was put into it. */
function stackOf(change: (config: Any) => void): Stack {
  const own: Stack = new Stack({
    policy,
    endpoint,
    envoyConfig: (rendered) => {
      const { out, code } = sluice(['render', 'envoy', '--snippet', ...aboutOf(own)]);
      expect(code).toBe(0);
      const config = withSnippet(ownEnvoy(rendered, endpoint), parse(out) as Any);
      change(config);
      return config;
    },
  });
  return own;
}

function aboutOf(of: Stack): string[] {
  return ['--policy', of.policyFolder, '--sluice', `unix:${join(of.folder, 'sluice.sock')}`];
}

/** What the check says of a config. The command line has a test of its own. */
function check(config: Any, version = '1.40', withholds = false): string[] {
  const { generation } = compilePolicy(readPolicyFiles(stack.policyFolder), { catalog });
  const options = {
    providers: [...generation!.providers.values()],
    sluice: `unix:${join(stack.folder, 'sluice.sock')}`,
    listen: '127.0.0.1:1',
    admin: null,
    failClosed: false,
    withholds,
    caFile: '/etc/ssl/certs/ca-certificates.crt',
    otlp: null,
    memoryBytes: null,
    abilities: abilitiesOf(version),
    usage: 'collect' as const,
  };
  return checkEnvoy(configOfFile(stringify(config, { aliasDuplicateObjects: false }), 'envoy.yaml'), options).findings.map(
    ({ level, message }) => `${level}: ${message}`,
  );
}

async function ask(of: Stack, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const answer = await fetch(`${of.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer app', ...headers },
    body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }),
  });
  await answer.arrayBuffer();
  return answer;
}

beforeAll(async () => {
  endpoint = await provider.listen();
  stack = stackOf((config) => (whole = config));
  await stack.start();
});

beforeEach(() => {
  provider.behaviour = well;
  provider.got.length = 0;
});

afterAll(async () => {
  await stack.stop();
  await provider.close();
});

describe("an Envoy of one's own with the snippet", () => {
  it('has its requests decided, answered for, and carried over failures', async () => {
    const plain = await ask(stack, { 'x-sluice-cluster': 'provider_anthropic' });
    expect([plain.status, plain.headers.get('x-sluice-model'), provider.got.map(({ model }) => model)]).toEqual([
      200,
      'gpt-5-nano',
      ['gpt-5-nano'],
    ]);
    expect(await recordOf(stack.adminUrl, plain.headers.get('x-sluice-decision'))).toMatchObject({
      outcome: 'complete',
      cost: { known: true },
      servedModel: 'gpt-5-nano',
    });

    provider.behaviour = (got, reply, answer) => (got.model === 'gpt-5-nano' ? status(500)(got, reply, answer) : answer());
    const second = await ask(stack);
    expect([second.status, second.headers.get('x-sluice-attempts'), provider.got.at(-1)?.model]).toEqual([200, '2', 'gpt-5-mini']);
  });

  it('is found whole by the check, and so is what is rendered as a whole', () => {
    expect(check(whole)).toEqual([]);
    // The same would do for a policy that blocks nothing.
    expect(check(whole, '1.40', true)).toEqual([
      expect.stringMatching(/^warning: the policy blocks requests by what they hold.* waits longer than 0\.5s passes/),
      expect.stringMatching(/^warning: the policy blocks requests by what they hold.* what Sluice has not answered when it ends passes/),
    ]);
    const rendered = sluice(['render', 'envoy', ...aboutOf(stack)]).out;
    expect(sluice(['render', 'envoy', '--check', '-', ...aboutOf(stack)], rendered)).toMatchObject({
      code: 0,
      out: 'stdin: 0 errors, 0 warnings. Its requests are decided.\n',
    });
  });
});

type Break = readonly [name: string, change: (config: Any) => void, said: RegExp];

const graver: readonly Break[] = [
  ['no filter at all', (config) => managerOf(config)['http_filters'].splice(0, 3), /^error: no filter calls Sluice/],
  [
    'a body that Sluice may not ask for',
    (config) => delete filterOf(config, request)['typed_config'].allow_mode_override,
    /^error: Sluice may not ask for the body/,
  ],
  [
    'headers that Sluice does not see',
    (config) => (filterOf(config, request)['typed_config'].processing_mode.request_header_mode = 'SKIP'),
    /^error: Sluice does not see requests/,
  ],
  [
    'a socket at another place',
    (config) => (clusterOf(config, 'sluice')['load_assignment'].endpoints[0].lb_endpoints[0].endpoint.address.pipe.path = '/run/none.sock'),
    /^error: the cluster sluice leads to unix:\/run\/none\.sock, and Sluice listens at/,
  ],
  [
    'a cluster without HTTP/2',
    (config) => delete clusterOf(config, 'sluice')['typed_extension_protocol_options'],
    /^error: the cluster sluice does not speak HTTP\/2/,
  ],
  [
    'metadata that Envoy drops',
    (config) => delete filterOf(config, request)['typed_config'].metadata_options,
    /^error: Envoy drops what Sluice decided/,
  ],
  [
    'a filter that is switched off',
    (config) => (filterOf(config, request)['disabled'] = true),
    /^error: this filter of Sluice is switched off/,
  ],
];

const others: readonly Break[] = [
  ['no filter for answers', (config) => managerOf(config)['http_filters'].splice(0, 2), /^error: no filter shows Sluice the answers/],
  [
    'filters in another order',
    (config) => managerOf(config)['http_filters'].splice(0, 3, ...managerOf(config)['http_filters'].slice(0, 3).reverse()),
    /^error: the filter that sees answers comes after the one that decides/,
  ],
  ['the router before Sluice', (config) => managerOf(config)['http_filters'].reverse(), /^error: the last filter is not the router/],
  [
    'authentication after Sluice',
    (config) =>
      managerOf(config)['http_filters'].splice(3, 0, {
        name: 'auth',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication' },
      }),
    /^error: auth comes after Sluice/,
  ],
  [
    'compression before Sluice sees answers',
    (config) =>
      managerOf(config)['http_filters'].splice(3, 0, {
        name: 'zip',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor' },
      }),
    /^warning: zip compresses answers/,
  ],
  [
    'a held body',
    (config) =>
      managerOf(config)['http_filters'].unshift({
        name: 'hold',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer' },
      }),
    /^warning: hold holds bodies/,
  ],
  [
    'every body is sent',
    (config) => (filterOf(config, request)['typed_config'].processing_mode.request_body_mode = 'BUFFERED'),
    /^warning: every body is sent to Sluice/,
  ],
  [
    'headers that lead are dropped',
    (config) => delete filterOf(config, request)['typed_config'].mutation_rules,
    /^error: Envoy drops headers by which Sluice leads a request \(mutation_rules\.allow_all_routing\)/,
  ],
  [
    "Envoy's own patience",
    (config) => delete filterOf(config, request)['typed_config'].message_timeout,
    /^error: Envoy waits 0\.2 s for Sluice/,
  ],
  [
    'less patience',
    (config) => (filterOf(config, request)['typed_config'].message_timeout = '0.1s'),
    /^error: Envoy waits 0\.1s for Sluice/,
  ],
  [
    'no more time for those that ask',
    (config) => delete filterOf(config, request)['typed_config'].max_message_timeout,
    /^warning: Sluice cannot ask for more time/,
  ],
  [
    'an error where the policy says pass',
    (config) => delete filterOf(config, request)['typed_config'].failure_mode_allow,
    /^warning: requests get an error while Sluice cannot be reached/,
  ],
  [
    'answers that wait',
    (config) => delete filterOf(config, request)['typed_config'].processing_mode.response_header_mode,
    /^warning: every answer waits for Sluice/,
  ],
  [
    'copies that belong to nobody',
    (config) => delete filterOf(config, response)['typed_config'].extension_config.typed_config.metadata_options,
    /^error: Sluice cannot tell whose answer a copy is/,
  ],
  [
    'copies without bodies',
    (config) => delete filterOf(config, response)['typed_config'].extension_config.typed_config.processing_mode.response_body_mode,
    /^error: Sluice does not see answers as they pass/,
  ],
  [
    'headers that clients may send',
    (config) => delete managerOf(config)['early_header_mutation_extensions'],
    /^error: clients may send headers that lead a request \(x-sluice-cluster/,
  ],
  [
    'usage that is told wrongly',
    (config) => managerOf(config)['early_header_mutation_extensions'][0].typed_config.mutations.pop(),
    /^error: Envoy tells Sluice that answers come by `observe`, and its filters do `collect`/,
  ],
  ['no log of answers', (config) => delete managerOf(config)['access_log'], /^error: answers never reach Sluice/],
  ['a short idle time', (config) => (managerOf(config)['stream_idle_timeout'] = '60s'), /^warning: stream_idle_timeout is 60s/],
  ['paths as they come', (config) => delete managerOf(config)['normalize_path'], /^warning: paths are not brought into one form/],
  [
    'a small buffer',
    (config) => {
      delete config['static_resources'].listeners[0].per_connection_buffer_limit_bytes;
      delete hostOf(config)['request_body_buffer_limit'];
    },
    /^error: requests above 1024 KiB pass undecided/,
  ],
  [
    'a short time for answers',
    (config) => delete hostOf(config)['routes'].at(-1).route.timeout,
    /^error: answers that take longer than 15 s are cut off/,
  ],
  [
    "retries of Envoy's own",
    (config) => (hostOf(config)['routes'].at(-1).route.retry_policy = { retry_on: '5xx', num_retries: 2 }),
    /^warning: Envoy asks the same provider again/,
  ],
  [
    'a route without Sluice',
    (config) =>
      (hostOf(config)['routes'].at(-1).typed_per_filter_config = {
        [request]: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute', disabled: true },
      }),
    /^warning: Sluice is switched off on this route/,
  ],
  [
    'no route for a provider that is chosen',
    (config) =>
      (hostOf(config)['routes'] = hostOf(config)['routes'].filter(
        ({ match }: Any) => !JSON.stringify(match).includes('provider_anthropic'),
      )),
    /^error: requests that Sluice sends elsewhere have no route \(x-sluice-cluster: provider_anthropic\)/,
  ],
  [
    'a route before those',
    (config) => hostOf(config)['routes'].unshift(hostOf(config)['routes'].pop()),
    /^error: this route comes before those of Sluice/,
  ],
  ['apps are told nothing', (config) => delete hostOf(config)['response_headers_to_add'], /^warning: apps are not told what was decided/],
  [
    'providers are told too much',
    (config) => delete hostOf(config)['request_headers_to_remove'],
    /^warning: providers see what apps tell Sluice/,
  ],
  [
    'no cluster of Sluice',
    (config) => config['static_resources'].clusters.splice(1, 1),
    /^error: the filters call a cluster sluice, which is not there/,
  ],
  [
    'a cluster that is missing',
    (config) =>
      (config['static_resources'].clusters = config['static_resources'].clusters.filter(
        ({ name }: Any) => name !== 'provider_openai_next',
      )),
    /^error: clusters that routes of Sluice lead to are not there: provider_openai_next/,
  ],
  [
    'a provider elsewhere',
    (config) =>
      (clusterOf(config, 'provider_openai')['load_assignment'].endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value = 1),
    /^error: the cluster provider_openai leads to 127\.0\.0\.1:1, and the policy's provider is at/,
  ],
  ['no TLS', (config) => delete clusterOf(config, 'provider_far')['transport_socket'], /^error: the cluster provider_far speaks no TLS/],
  [
    'a certificate that is not checked',
    (config) => delete clusterOf(config, 'provider_far')['transport_socket'].typed_config.common_tls_context,
    /^error: the cluster provider_far does not check the provider's certificate/,
  ],
  [
    'attempts that nobody changes',
    (config) => delete clusterOf(config, 'provider_openai_next')['typed_extension_protocol_options'],
    /^error: the cluster provider_openai_next lacks filters/,
  ],
  [
    'attempts that go out without Sluice',
    (config) =>
      (filterOf(config, 'envoy.filters.http.ext_proc.sluice_next', 'provider_openai_next')['typed_config'].failure_mode_allow = true),
    /^error: an attempt goes out when Sluice cannot be reached/,
  ],
  [
    'attempts that are seen in part',
    (config) =>
      (filterOf(config, 'envoy.filters.http.ext_proc.sluice_stream', 'provider_openai_stream')[
        'typed_config'
      ].processing_mode.response_body_mode = 'STREAMED'),
    /^error: an attempt is not followed as Sluice needs it \(response_body_mode: STREAMED instead of FULL_DUPLEX_STREAMED\)/,
  ],
  [
    'few requests at a time',
    (config) => delete clusterOf(config, 'sluice')['circuit_breakers'],
    /^warning: beyond 1024 requests at a time requests pass undecided/,
  ],
  [
    'little that may wait for Sluice',
    (config) => delete clusterOf(config, 'sluice')['per_connection_buffer_limit_bytes'],
    /^warning: a provider's answer of more than 1024 KiB that Sluice looks into as a whole can end Envoy/,
  ],
];

describe('the check of an envoy.yaml', () => {
  it.each([...graver, ...others])('names it: %s', (_name, change, said) => {
    const config = structuredClone(whole);
    change(config);
    const found = check(config);
    expect(
      found.filter((one) => said.test(one)),
      found.join('\n'),
    ).toHaveLength(1);
  });

  it.each(graver)(
    'and a running Envoy does not decide then: %s',
    async (_name, change) => {
      const broken = stackOf(change);
      try {
        await broken.start();
        const answer = await ask(broken);
        expect(answer.headers.get('x-sluice-decision')).toBeNull();
        // It is hidden: the app gets an answer, or at worst an error that says nothing of Sluice.
        expect(await answer.text().catch(() => '')).not.toContain('sluice');
      } finally {
        await broken.stop();
      }
    },
    60_000,
  );

  it('names the line, takes either spelling, and says what fits no version', () => {
    const broken = structuredClone(whole);
    delete filterOf(broken, request)['typed_config'].allow_mode_override;
    const camel = stringify(broken, { aliasDuplicateObjects: false })
      .replaceAll('static_resources:', 'staticResources:')
      .replaceAll('http_filters:', 'httpFilters:')
      .replaceAll('filter_chains:', 'filterChains:');
    const { out, code } = sluice(['render', 'envoy', '--check', '-', ...aboutOf(stack)], camel);
    expect(code).toBe(1);
    const line = Number(/^✗ line (\d+), static_resources\.listeners\[0\]/m.exec(out)?.[1]);
    expect(
      camel
        .split('\n')
        .slice(line - 2, line + 1)
        .join('\n'),
    ).toContain('ExternalProcessor');
    expect(check(whole, '1.38')).toContainEqual(expect.stringMatching(/^error: Envoy tells Sluice that it takes chains as `groups`/));
    expect(sluice(['render', 'envoy', '--check', '-'], 'a: [').err).toMatch(/^SLUICE_ENVOY_CONFIG -: /);
    expect(sluice(['render', 'envoy', '--check', '-'], 'a: 1').err).toMatch(/this is no bootstrap of Envoy's/);
  });

  it('tells of a listener that leads around Sluice', () => {
    const config = structuredClone(whole);
    config['static_resources'].listeners.push(
      ownEnvoy({ static_resources: { listeners: [{ address: { socket_address: { address: '127.0.0.1', port_value: 1 } } }] } }, endpoint)[
        'static_resources'
      ].listeners[0],
    );
    expect(check(config)).toEqual([expect.stringMatching(/^warning: requests on this listener reach 127\.0\.0\.1 without Sluice/)]);
  });
});
