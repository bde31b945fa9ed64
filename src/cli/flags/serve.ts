import { defaultEnvoyMemory } from '../../attach/overload.ts';
import { usageChoices } from '../../attach/usage.ts';
import { defaultEnvoyVersion, envoyVersions, requireSupported } from '../../attach/versions.ts';
import { transportNames } from '../../extproc/transports.ts';
import { limits } from '../../lib/limits.ts';
import { logLevels } from '../../record/log-sink.ts';
import { fileAlways, fileOrOff } from '../file-flag.ts';
import { readToken } from '../read-token.ts';
import type { Flag, FlagTable } from './flag.ts';
import { configMap, envoyMemory, headerOrOff, httpUrl, list, namespaces, namespacesOrAll, number, text, word } from './read.ts';

const megabyte = 1024 * 1024;
const secondMs = 1_000;
const hourMs = 3_600_000;

/** A file, or null for `off`. */
const orOff = (value: string, where: string): string | null => fileOrOff(where, value);

const redisMs = number('the deadline is no number of ms from 1 to 400; Envoy waits 500.', (ms) => ms >= 1 && ms <= 400);

const policy = {
  policy: { value: '<path>', about: 'policy file, or folder of a mounted ConfigMap', otherwise: 'the embedded policy', read: text },
  policyConfigmaps: {
    value: '<namespaces>',
    about: 'the policy is in labelled ConfigMaps of these namespaces: a,b or *; earlier ones take precedence',
    excludes: ['policy'],
    read: namespacesOrAll,
  },
  policyTrusted: {
    value: '<namespaces>',
    about: 'of these, those that may write everything; others as delegations say',
    otherwise: 'the first one, of * the one that Sluice runs in',
    read: namespaces,
  },
  policySelector: { value: '<labels>', about: 'which ConfigMaps', fallback: 'sluice.dev/policy=true', read: text },
  policyKinds: {
    value: '<kinds>',
    about: 'which objects hold a policy: configmaps, or configmaps,llmpolicies',
    fallback: 'configmaps',
    read: word(['configmaps', 'configmaps,llmpolicies']),
  },
  policyStatus: {
    value: '<namespace/name>',
    about: 'an existing ConfigMap that says how the others are doing',
    otherwise: 'none',
    needs: ['policyConfigmaps'],
    read: configMap,
  },
  policyRollouts: {
    value: '<namespace/name>',
    about: 'an existing ConfigMap in which replicas agree on rollouts',
    otherwise: 'each has its own',
    needs: ['policyConfigmaps'],
    read: configMap,
  },
  policyUrl: {
    value: '<url>',
    about:
      'the policy is at this URL; with {workspace} and {provider} in it: the part of each pair, on top of the policy of the other flags',
    read: httpUrl,
  },
  policyTtl: {
    value: '<seconds>',
    about: 'with --policy-url: how long an answer holds that does not say',
    fallback: '60',
    read: number('the time is no number of seconds from 1 to 86400.', (seconds) => seconds >= 1 && seconds <= 86_400, secondMs),
  },
  policyTokenFile: { value: '<file>', about: 'with --policy-url: a bearer token for it', read: text },
  policyKept: {
    value: '<file>',
    about: 'where the last good policy is kept for a start that cannot read its policy; off: nowhere',
    otherwise: 'beside the budgets',
    read: orOff,
  },
} as const satisfies FlagTable;

const models = {
  catalog: { value: '<file>', about: 'price catalog', otherwise: 'the embedded one', read: text },
  catalogSource: { value: '<source>', about: 'price list (file or URL) to import into --catalog on a schedule', read: text },
  catalogInterval: {
    value: '<hours>',
    about: 'hours between two imports',
    fallback: '24',
    read: number('the interval is no number of hours above 0.', (hours) => hours > 0, hourMs),
  },
  model: {
    value: '<file>',
    about: "learned router's model, swapped when the file is",
    otherwise: 'the one that comes with Sluice',
    read: text,
  },
  embedding: {
    value: '<folder>',
    about: 'sentence model for policies with `classifier.embedding`: a folder that `scripts/setup.sh embedding` made',
    otherwise: 'none',
    read: text,
  },
  learningState: { value: '<file>', about: 'keeps what was learnt from grades over restarts', otherwise: 'it is forgotten', read: orOff },
} as const satisfies FlagTable;

const envoy = {
  listen: { value: '<address>', about: 'unix:/path or host:port for Envoy', fallback: 'unix:/tmp/sluice.sock', read: text },
  transport: {
    value: '<name>',
    about: `how Envoy's calls are read: ${transportNames.join(' or ')}; grpc costs several times the CPU and answers server reflection`,
    fallback: 'frames',
    read: word(transportNames),
  },
  transportMemory: {
    value: '<megabytes>',
    about: 'bound of what a transport holds: undecided messages, and answers that Envoy has not read',
    otherwise: '512, and no more than a third of the memory that the process may have, but at least 160',
    read: number('the size is no number of megabytes from 160 to 65536.', (size) => size >= 160 && size <= 65_536, megabyte),
  },
  envoyConfig: {
    value: '<folder>',
    about: "write Envoy's config there and keep it as the policy has it; Envoy runs with -c FOLDER/bootstrap.json",
    read: text,
  },
  envoyListen: { value: '<host:port>', about: 'with --envoy-config: where apps call Envoy', fallback: '127.0.0.1:10000', read: text },
  envoyAdmin: { value: '<host:port>', about: "with --envoy-config: Envoy's admin", fallback: '127.0.0.1:9902', read: text },
  envoyCa: {
    value: '<file>',
    about: "with --envoy-config: CAs that providers' certificates are checked against",
    fallback: '/etc/ssl/certs/ca-certificates.crt',
    read: text,
  },
  envoyVersion: {
    value: '<version>',
    about: `with --envoy-config: the Envoy that it is for, one of ${envoyVersions.join(', ')}`,
    fallback: defaultEnvoyVersion,
    read: (version: string): string => {
      requireSupported(version);
      return version;
    },
  },
  envoyUsage: {
    value: '<how>',
    about: `with --envoy-config: how Sluice learns of answers, see docs/envoy.md: ${usageChoices.join(', ')}`,
    fallback: 'auto',
    read: word(usageChoices),
  },
  envoyMemory: {
    value: '<size>',
    about: 'memory that Envoy may use; large bodies get 503 when it is used up; off: no bound',
    otherwise: `${defaultEnvoyMemory} with --envoy-config, else not known`,
    read: envoyMemory,
  },
  envoyStatus: { value: '<host:port>', about: 'with --envoy-config: a listener with /ready and /stats/prometheus', read: text },
  envoyOtlp: {
    value: '<host:port>',
    about: 'with --envoy-config: an OTLP collector (gRPC) that Envoy sends spans of its own to',
    read: text,
  },
  envoyTlsListen: {
    value: '<host:port>',
    about: "with --envoy-tls: where apps call that use the providers' own names",
    needs: ['envoyTls'],
    read: text,
  },
  envoyTls: { value: '<folder>', about: 'folder with tls.crt and tls.key for those names', needs: ['envoyTlsListen'], read: text },
} as const satisfies FlagTable;

const kubernetes = {
  webhook: {
    value: '<host:port>',
    about: 'admission webhooks for the API server: /validate, /mutate/base-url, /mutate/names',
    needs: ['webhookTls'],
    read: text,
  },
  spareEndpoints: {
    value: '<namespace/service>',
    about: "with --envoy-config: this Service reaches the pod's Envoy, one port above its usual one, while none of its pods is ready",
    needs: ['envoyConfig'],
    read: configMap,
  },
  webhookTls: { value: '<folder>', about: 'with --webhook: folder with tls.crt and tls.key; the API server calls by TLS only', read: text },
  certificates: {
    value: '<namespace/name>',
    about: 'an existing Secret in which a CA and the certificates of --webhook-tls and --envoy-tls are made, renewed and kept',
    otherwise: 'none: others fill them',
    read: configMap,
  },
  certificatesFrom: {
    value: '<name>',
    about: 'with --certificates: another Secret, whose CA (tls.crt, tls.key) is taken in place of a new one',
    needs: ['certificates'],
    read: text,
  },
  certificatesFor: {
    value: '<which>',
    about: 'with --certificates: both folders, or that of --webhook-tls (webhook) or of --envoy-tls (egress) alone',
    fallback: 'both',
    read: word(['both', 'webhook', 'egress']),
  },
  certificatesDays: {
    value: '<days>',
    about: 'with --certificates: validity of certificates; they are renewed after two thirds of it',
    fallback: '730',
    read: number('the validity is no number of days from 1 to 3650.', (days) => days >= 1 && days <= 3650),
  },
  webhookService: {
    value: '<host>',
    about: 'with --certificates: host name by which the API server calls the webhooks',
    needs: ['certificates', 'webhook'],
    read: text,
  },
  webhookConfigurations: {
    value: '<name>',
    about: 'with --certificates: name of the webhook configurations that are to trust the CA',
    needs: ['certificates'],
    read: text,
  },
  sidecarTemplate: { value: '<file>', about: 'with --webhook: /mutate/sidecar too; what a pod gets, as the chart writes it', read: text },
  egressUrl: {
    value: '<url>',
    about: 'with --webhook: where pods call the gateway; they get it as base URL',
    read: (value: string, where: string): string => httpUrl(value, where).replace(/\/+$/, ''),
  },
  egressService: {
    value: '<host>',
    about: "with --egress-hosts: the gateway's host name; pods get its address for the providers' names",
    read: text,
  },
  egressHosts: {
    value: '<names>',
    about: "the providers' names that the gateway has a certificate for: a,b",
    needs: ['egressUrl', 'egressService', 'egressCa', 'egressImage'],
    read: list,
  },
  egressCa: { value: '<file>', about: 'with --egress-hosts: the CA of that certificate, which pods get to trust', read: text },
  egressExtraCa: { value: '<files>', about: "with --egress-hosts: files with further CAs for the pods' bundle: a,b", read: list },
  egressPullSecrets: {
    value: '<names>',
    about: "with --egress-hosts: Secrets of the pods' namespaces for that image's registry: a,b",
    read: list,
  },
  egressImage: { value: '<image>', about: "with --egress-hosts: this image, which writes the pods' bundle of CAs", read: text },
} as const satisfies FlagTable;

const state = {
  cacheMemory: {
    value: '<megabytes>',
    about: 'answers that are cached in memory, where the policy caches',
    fallback: String(limits.cacheMemoryBytes / megabyte),
    read: (value: string, where: string): number =>
      Math.floor(
        number('the size is no number of megabytes from 1 to 65536.', (size) => size >= 1 && size <= 65_536, megabyte)(value, where),
      ),
  },
  cacheRedis: {
    value: '<url>',
    about: 'a Redis that replicas share, behind the memory and for cool-downs: redis://, rediss://, redis-sentinel:// or redis-cluster://',
    read: text,
  },
  cacheRedisPasswordFile: { value: '<file>', about: 'its password', read: text },
  cacheRedisCa: { value: '<file>', about: 'CAs that its certificate is checked against', otherwise: "the system's", read: text },
  cacheRedisDeadline: { value: '<ms>', about: 'longest wait for it; then the request goes on', fallback: '5', read: redisMs },
  budgets: {
    value: '<file>',
    about: "where the policy's budgets are kept over a restart, or off",
    otherwise: "budgets.json in the user's state folder",
    read: orOff,
  },
  budgetsRedis: { value: '<url>', about: 'a Redis that keeps them instead, shared by replicas; URLs as for --cache-redis', read: text },
  budgetsRedisPasswordFile: { value: '<file>', about: 'its password', read: text },
  budgetsRedisCa: { value: '<file>', about: 'CAs that its certificate is checked against', otherwise: "the system's", read: text },
  budgetsRedisDeadline: { value: '<ms>', about: 'longest wait for it; then the request goes on', fallback: '50', read: redisMs },
  state: { value: '<file>', about: 'where rollouts and stopped experiments survive a restart', read: orOff },
  ledger: {
    value: '<file>',
    about: 'where every record is kept: a file, postgres://… or clickhouse://… for a fleet, or off',
    otherwise: "ledger.db in the user's state folder",
    read: orOff,
  },
  records: {
    value: '<kind>',
    about: 'otlp: every record also goes to a collector (OTEL_EXPORTER_OTLP_ENDPOINT)',
    fallback: 'off',
    read: word(['otlp', 'off']),
  },
  ledgerPasswordFile: { value: '<file>', about: 'password of the database', read: text },
  ledgerRetention: {
    value: '<days>',
    about: 'days that records stay in the ledger',
    fallback: '30',
    read: number('the retention is no number of days above 0.', (days) => days > 0),
  },
  ledgerKey: { value: '<file>', about: "PEM of an Ed25519 private key that signs the ledger's checkpoints", read: text },
} as const satisfies FlagTable;

const running = {
  workers: {
    value: '<count>',
    about: 'processes that share the address for Envoy, one per core',
    fallback: '1',
    read: number('the count is no whole number from 1 to 64.', (count) => Number.isInteger(count) && count >= 1 && count <= 64),
  },
  admin: { value: '<host:port>', about: 'admin server: metrics, health, decisions', fallback: '127.0.0.1:9901', read: text },
  metrics: {
    value: '<host:port>',
    about: 'a second server with metrics and health alone, for scrapers and probes',
    otherwise: 'they are on the admin server only',
    read: text,
  },
  adminToken: {
    value: '<file>',
    about: 'file with a token that is needed for what is more than reading',
    otherwise: 'such requests must come from this machine',
    read: (file: string): string => readToken(file),
  },
  maskKey: {
    value: '<file>',
    about: 'file with the secret of tokens for masked data; replicas share it',
    otherwise: 'one of this process, other tokens after each start',
    read: (file: string): string => readToken(file, 'key'),
  },
  requestIdHeader: {
    value: '<name>',
    about: "request header with the app's own id, which then finds the decision; off: none",
    fallback: 'x-client-request-id',
    read: headerOrOff,
  },
  maxDelay: {
    value: '<ms>',
    about: 'how late the event loop may be before new requests pass undecided; 0: never mind',
    fallback: String(limits.eventLoopLateMs),
    read: number('the delay is no number of ms.', (ms) => ms >= 0),
  },
  log: {
    value: '<path>',
    about: 'where the JSON lines go: a file, or - for stdout',
    fallback: '-',
    read: (value: string, where: string): string =>
      fileAlways(where, value, 'Give the path of a file, or - for stdout. --log-share 0 keeps the log to what went wrong.'),
  },
  logLevel: {
    value: '<level>',
    about: `${logLevels.join(', ')}; PUT /log on the admin address changes it`,
    fallback: 'info',
    read: word(logLevels),
  },
  logShare: {
    value: '<share>',
    about: 'share of the successful exchanges that is logged, 0 to 1',
    fallback: '1',
    read: number('the share is no number from 0 to 1.', (share) => share >= 0 && share <= 1),
  },
  grace: {
    value: '<seconds>',
    about: 'longest drain on SIGTERM',
    fallback: '30',
    read: number('the grace is no number of seconds.', (seconds) => seconds >= 0, secondMs),
  },
} as const satisfies FlagTable;

/** The flags of `serve`, by topic; `pages`: names of docs with details. */
export const serveGroups: readonly {
  readonly title: string;
  readonly pages: readonly string[];
  readonly flags: Readonly<Record<string, Flag<unknown>>>;
}[] = [
  { title: 'Policy', pages: ['policy-sources', 'kubernetes'], flags: policy },
  { title: 'Prices and models', pages: ['catalog', 'learned-routing', 'learning'], flags: models },
  { title: 'Envoy', pages: ['envoy'], flags: envoy },
  { title: 'Kubernetes webhooks', pages: ['kubernetes'], flags: kubernetes },
  { title: 'Cache, budgets, ledger', pages: ['cache', 'budgets', 'ledger', 'experiments'], flags: state },
  { title: 'Running', pages: ['page', 'masking', 'logs'], flags: running },
];

/** All flags of `serve`. Parsing, checks, environment variables and docs/flags.md are generated from this table. */
export const serveFlags = { ...policy, ...models, ...envoy, ...kubernetes, ...state, ...running } as const;
