import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { Option, type Command } from 'commander';
import type { EnvoyFilesOptions } from '../attach/files.ts';
import { usageChoices, usageModeOf, type UsageChoice } from '../attach/usage.ts';
import { chainStyleOf, defaultEnvoyVersion, envoyVersions } from '../attach/versions.ts';
import { sentenceOf, SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { logLevels } from '../record/log-sink.ts';
import { defaultBudgets, defaultLedger } from './open-ledger.ts';
import type { SluiceOptions } from '../app/options.ts';
import { fileAlways, fileOrOff } from './file-flag.ts';
import { readToken } from './read-token.ts';

interface ServeFlags {
  readonly policy?: string;
  readonly policyConfigmaps?: string;
  readonly policyTrusted?: string;
  readonly policySelector: string;
  readonly policyStatus?: string;
  readonly policyUrl?: string;
  readonly policyTtl: string;
  readonly policyTokenFile?: string;
  readonly catalog?: string;
  readonly model?: string;
  readonly learningState?: string;
  readonly catalogSource?: string;
  readonly catalogInterval: string;
  readonly envoyConfig?: string;
  readonly envoyListen: string;
  readonly envoyAdmin: string;
  readonly envoyCa: string;
  readonly envoyVersion: string;
  readonly envoyUsage: UsageChoice;
  readonly envoyStatus?: string;
  readonly envoyOtlp?: string;
  readonly envoyTlsListen?: string;
  readonly envoyTls?: string;
  readonly webhook?: string;
  readonly webhookTls?: string;
  readonly sidecarTemplate?: string;
  readonly egressUrl?: string;
  readonly egressService?: string;
  readonly egressHosts?: string;
  readonly egressCa?: string;
  readonly egressImage?: string;
  readonly listen: string;
  readonly maxDelay: string;
  readonly requestIdHeader: string;
  readonly policyKept?: string;
  readonly admin: string;
  readonly metrics?: string;
  readonly cacheMemory: string;
  readonly cacheRedis?: string;
  readonly cacheRedisPasswordFile?: string;
  readonly cacheRedisCa?: string;
  readonly cacheRedisDeadline: string;
  readonly budgets?: string;
  readonly budgetsRedis?: string;
  readonly budgetsRedisPasswordFile?: string;
  readonly budgetsRedisCa?: string;
  readonly budgetsRedisDeadline: string;
  readonly state?: string;
  readonly log: string;
  readonly logLevel: string;
  readonly logShare: string;
  readonly grace: string;
  readonly adminToken?: string;
  readonly maskKey?: string;
  readonly ledger?: string;
  readonly ledgerPasswordFile?: string;
  readonly ledgerRetention: string;
  readonly ledgerKey?: string;
}

const megabyte = 1024 * 1024;

/**
 * `sluice serve`: the processor. Prints JSON lines; the line with `"msg":"ready"` carries the bound addresses
 * (`listen`, `admin`). SIGTERM and SIGINT drain for `--grace` seconds, then exit 0.
 */
export function registerServe(program: Command): void {
  program
    .command('serve')
    .description("run the external processor for Envoy's ext_proc filters")
    .option('--policy <path>', 'policy file, or folder of a mounted ConfigMap (default: the embedded policy)', process.env['SLUICE_POLICY'])
    .option(
      '--policy-configmaps <namespaces>',
      'the policy is in labelled ConfigMaps of these namespaces: a,b or *; earlier ones take precedence',
      process.env['SLUICE_POLICY_CONFIGMAPS'],
    )
    .option(
      '--policy-trusted <namespaces>',
      'of these, those whose ConfigMaps may write everything; others may write what policy.delegations says. The first one by default, of * the one that Sluice runs in',
      process.env['SLUICE_POLICY_TRUSTED'],
    )
    .option('--policy-selector <labels>', 'which ConfigMaps', process.env['SLUICE_POLICY_SELECTOR'] ?? 'sluice.dev/policy=true')
    .option(
      '--policy-status <namespace/name>',
      'with --policy-configmaps: a ConfigMap, which is there, that says how they are doing (default: none)',
      process.env['SLUICE_POLICY_STATUS'],
    )
    .option(
      '--policy-url <url>',
      'the policy is at this URL; with {workspace} and {provider} in it: the part of each pair is',
      process.env['SLUICE_POLICY_URL'],
    )
    .option('--policy-ttl <seconds>', 'with --policy-url: how long an answer holds that does not say', '60')
    .option('--policy-token-file <file>', 'with --policy-url: a bearer token for it')
    .option(
      '--policy-kept <file>',
      'where the last good policy is kept; a start that cannot read its policy uses it; off: nowhere (default: beside the budgets)',
      process.env['SLUICE_POLICY_KEPT'],
    )
    .option('--catalog <file>', 'price catalog (default: the embedded one)', process.env['SLUICE_CATALOG'])
    .option(
      '--model <file>',
      "learned router's model, swapped when the file is (default: the one that comes with Sluice)",
      process.env['SLUICE_MODEL'],
    )
    .option(
      '--learning-state <file>',
      'keeps what was learnt from grades over restarts (default: it is forgotten)',
      process.env['SLUICE_LEARNING_STATE'],
    )
    .option('--catalog-source <source>', 'price list (file or URL) to import into --catalog on a schedule')
    .option('--catalog-interval <hours>', 'hours between two imports', '24')
    .option('--listen <address>', 'unix:/path or host:port for Envoy', process.env['SLUICE_LISTEN'] ?? 'unix:/tmp/sluice.sock')
    .option(
      '--envoy-config <folder>',
      "write Envoy's config there and keep it as the policy has it; Envoy runs with -c FOLDER/bootstrap.json",
    )
    .option('--envoy-listen <host:port>', 'with --envoy-config: where apps call Envoy', '127.0.0.1:10000')
    .option('--envoy-admin <host:port>', "with --envoy-config: Envoy's admin", '127.0.0.1:9902')
    .option(
      '--envoy-ca <file>',
      "with --envoy-config: CAs that providers' certificates are checked against",
      '/etc/ssl/certs/ca-certificates.crt',
    )
    .option(
      '--envoy-version <version>',
      `with --envoy-config: the Envoy that it is for, one of ${envoyVersions.join(', ')}`,
      defaultEnvoyVersion,
    )
    .addOption(
      new Option('--envoy-usage <how>', 'with --envoy-config: how Sluice learns of answers, see docs/envoy.md')
        .choices(usageChoices)
        .default('auto'),
    )
    .option('--envoy-status <host:port>', 'with --envoy-config: a listener with /ready and /stats/prometheus')
    .option('--envoy-otlp <host:port>', 'with --envoy-config: an OTLP collector (gRPC) that Envoy sends spans of its own to')
    .option('--envoy-tls-listen <host:port>', "with --envoy-tls: where apps call that use the providers' own names")
    .option('--envoy-tls <folder>', 'folder with tls.crt and tls.key for those names')
    .option('--webhook <host:port>', 'admission webhooks for the API server: /validate, /mutate/base-url, /mutate/names')
    .option('--webhook-tls <folder>', 'with --webhook: folder with tls.crt and tls.key')
    .option(
      '--sidecar-template <file>',
      'with --webhook: /mutate/sidecar too; the containers, volumes and URL that a pod gets, as the chart writes them',
    )
    .option('--egress-url <url>', 'with --webhook: where pods call the gateway; they get it as base URL')
    .option('--egress-service <host>', "with --egress-hosts: the gateway's host name; pods get its address for the providers' names")
    .option('--egress-hosts <names>', "the providers' names that the gateway has a certificate for: a,b")
    .option('--egress-ca <file>', 'with --egress-hosts: the CA of that certificate, which pods get to trust')
    .option('--egress-image <image>', "with --egress-hosts: this image, which writes the pods' bundle of CAs")
    .option('--admin <host:port>', 'admin server: metrics, health, decisions', process.env['SLUICE_ADMIN'] ?? '127.0.0.1:9901')
    .option(
      '--metrics <host:port>',
      'a second server with metrics and health alone, for scrapers and probes (default: they are on the admin server only)',
      process.env['SLUICE_METRICS'],
    )
    .option(
      '--admin-token <file>',
      'file with a token that is needed for what is more than reading (default: such requests must come from this machine)',
    )
    .option(
      '--mask-key <file>',
      'file with the secret that tokens for masked data are made with; replicas share it (default: one of this process, other tokens after each start)',
      process.env['SLUICE_MASK_KEY'],
    )
    .option(
      '--cache-memory <megabytes>',
      'answers that are cached in memory, where the policy caches',
      String(limits.cacheMemoryBytes / megabyte),
    )
    .option(
      '--cache-redis <url>',
      'a Redis that replicas share, behind the memory and for cool-downs: redis://, rediss://, redis-sentinel:// or redis-cluster://',
      process.env['SLUICE_CACHE_REDIS'],
    )
    .option('--cache-redis-password-file <file>', 'its password')
    .option('--cache-redis-ca <file>', "CAs that its certificate is checked against (default: the system's)")
    .option('--cache-redis-deadline <ms>', 'longest wait for it; then the request goes on', '5')
    .option(
      '--budgets <file>',
      `where the policy's budgets are kept over a restart, or off (default: ${defaultBudgets()})`,
      process.env['SLUICE_BUDGETS'],
    )
    .option(
      '--budgets-redis <url>',
      'a Redis that keeps them instead, shared by replicas; URLs as for --cache-redis',
      process.env['SLUICE_BUDGETS_REDIS'],
    )
    .option('--budgets-redis-password-file <file>', 'its password')
    .option('--budgets-redis-ca <file>', "CAs that its certificate is checked against (default: the system's)")
    .option('--budgets-redis-deadline <ms>', 'longest wait for it; then the request goes on', '50')
    .option(
      '--request-id-header <name>',
      "request header with the app's own id of a request, which then finds the decision; off: none",
      process.env['SLUICE_REQUEST_ID_HEADER'] ?? 'x-client-request-id',
    )
    .option(
      '--max-delay <ms>',
      'how late the event loop may be before new requests pass undecided; 0: never mind',
      process.env['SLUICE_MAX_DELAY'] ?? String(limits.eventLoopLateMs),
    )
    .option('--state <file>', 'where rollouts and stopped experiments survive a restart', process.env['SLUICE_STATE'])
    .option('--log <path>', 'where the JSON lines go: a file, or - for stdout', '-')
    .option('--log-level <level>', `${logLevels.join(', ')}; PUT /log on the admin address changes it`, 'info')
    .option('--log-share <share>', 'share of the exchanges that went well that is logged, 0 to 1; all others always are', '1')
    .option(
      '--ledger <file>',
      `where every record is kept: a file, postgres://… for a fleet, or off (default: ${defaultLedger()})`,
      process.env['SLUICE_LEDGER'],
    )
    .option('--ledger-password-file <file>', 'password of the database', process.env['SLUICE_LEDGER_PASSWORD_FILE'])
    .option('--ledger-retention <days>', 'days that records stay in the ledger', '30')
    .option('--ledger-key <file>', "PEM of an Ed25519 private key that signs the ledger's checkpoints")
    .option('--grace <seconds>', 'longest drain on SIGTERM', '30')
    .action(async (flags: ServeFlags) => {
      const hours = Number(flags.catalogInterval);
      const grace = Number(flags.grace);
      if (!(hours > 0))
        throw new SluiceError('SLUICE_CLI_USAGE', 'the interval is no number of hours above 0.', { where: '--catalog-interval' });
      const retention = Number(flags.ledgerRetention);
      if (!(retention > 0))
        throw new SluiceError('SLUICE_CLI_USAGE', 'the retention is no number of days above 0.', { where: '--ledger-retention' });
      if (!(grace >= 0)) throw new SluiceError('SLUICE_CLI_USAGE', 'the grace is no number of seconds.', { where: '--grace' });
      const configMaps =
        flags.policyConfigmaps === undefined
          ? null
          : {
              namespaces: namespacesOf(flags.policyConfigmaps),
              labelSelector: flags.policySelector,
              status: flags.policyStatus === undefined ? null : statusMapOf(flags.policyStatus),
              trusted: flags.policyTrusted === undefined ? null : namespacesOf(flags.policyTrusted, '--policy-trusted'),
            };
      if (configMaps !== null && flags.policy !== undefined)
        throw new SluiceError('SLUICE_CLI_USAGE', 'a policy is in files or in ConfigMaps, not in both.', { where: '--policy-configmaps' });
      const policyUrl = policyUrlOf(flags);
      if (policyUrl?.pairs === false && (configMaps !== null || flags.policy !== undefined))
        throw new SluiceError('SLUICE_CLI_USAGE', 'a whole policy is at a URL, in files or in ConfigMaps, not in two of them.', {
          where: '--policy-url',
        });
      if ((flags.envoyTls === undefined) !== (flags.envoyTlsListen === undefined))
        throw new SluiceError('SLUICE_CLI_USAGE', 'both are needed or none.', { where: '--envoy-tls, --envoy-tls-listen' });
      const cacheMegabytes = Number(flags.cacheMemory);
      if (!(cacheMegabytes >= 1 && cacheMegabytes <= 65_536))
        throw new SluiceError('SLUICE_CLI_USAGE', 'the size is no number of megabytes from 1 to 65536.', { where: '--cache-memory' });
      const deadlineMs = Number(flags.cacheRedisDeadline);
      if (!(deadlineMs >= 1 && deadlineMs <= 400))
        throw new SluiceError('SLUICE_CLI_USAGE', 'the deadline is no number of ms from 1 to 400; Envoy waits 500.', {
          where: '--cache-redis-deadline',
        });
      const budgetsMs = Number(flags.budgetsRedisDeadline);
      if (!(budgetsMs >= 1 && budgetsMs <= 400))
        throw new SluiceError('SLUICE_CLI_USAGE', 'the deadline is no number of ms from 1 to 400; Envoy waits 500.', {
          where: '--budgets-redis-deadline',
        });
      const maxDelayMs = Number(flags.maxDelay);
      if (!(maxDelayMs >= 0)) throw new SluiceError('SLUICE_CLI_USAGE', 'the delay is no number of ms.', { where: '--max-delay' });
      if (!(logLevels as readonly string[]).includes(flags.logLevel))
        throw new SluiceError('SLUICE_CLI_USAGE', `${flags.logLevel} is none of ${logLevels.join(', ')}.`, { where: '--log-level' });
      const logShare = Number(flags.logShare);
      if (!(logShare >= 0 && logShare <= 1))
        throw new SluiceError('SLUICE_CLI_USAGE', 'the share is no number from 0 to 1.', { where: '--log-share' });
      const { startSluice } = await import('../app/start.ts');
      const sluice = await orExit(
        startSluice({
          policy: flags.policy ?? null,
          policyConfigMaps: configMaps,
          policyUrl,
          catalog: flags.catalog ?? null,
          model: flags.model ?? null,
          learningState: flags.learningState === undefined ? null : fileOrOff('--learning-state', flags.learningState),
          catalogSource: flags.catalogSource ?? null,
          catalogIntervalMs: hours * 3_600_000,
          envoy: envoyFiles(flags),
          webhook: webhooks(flags),
          listen: flags.listen,
          maxDelayMs,
          policyKept: flags.policyKept === 'off' ? null : (flags.policyKept ?? defaultKept(flags)),
          requestIdHeader: requestIdHeaderOf(flags.requestIdHeader),
          admin: flags.admin,
          metrics: flags.metrics ?? null,
          adminToken: flags.adminToken === undefined ? null : readToken(flags.adminToken),
          maskKey: flags.maskKey === undefined ? null : readToken(flags.maskKey, 'key'),
          cacheMemoryBytes: Math.floor(cacheMegabytes * megabyte),
          cacheRedis:
            flags.cacheRedis === undefined
              ? null
              : {
                  url: flags.cacheRedis,
                  passwordFile: flags.cacheRedisPasswordFile ?? null,
                  caFile: flags.cacheRedisCa ?? null,
                  deadlineMs,
                },
          budgets: {
            file: fileOrOff('--budgets', flags.budgets ?? defaultBudgets()),
            required: flags.budgets !== undefined,
            redis:
              flags.budgetsRedis === undefined
                ? null
                : {
                    url: flags.budgetsRedis,
                    passwordFile: flags.budgetsRedisPasswordFile ?? null,
                    caFile: flags.budgetsRedisCa ?? null,
                    deadlineMs: budgetsMs,
                  },
          },
          state: flags.state === undefined ? null : fileOrOff('--state', flags.state),
          log: fileAlways('--log', flags.log, 'Give the path of a file, or - for stdout. --log-share 0 keeps the log to what went wrong.'),
          logLevel: flags.logLevel,
          logShare,
          ledger: {
            file: fileOrOff('--ledger', flags.ledger ?? defaultLedger()),
            required: flags.ledger !== undefined,
            passwordFile: flags.ledgerPasswordFile ?? null,
            retentionDays: retention,
            keyFile: flags.ledgerKey ?? null,
          },
        }),
      );
      let closing = false;
      const stop = (): void => {
        if (closing) return;
        closing = true;
        void sluice.close(grace * 1000).then(() => process.exit(0));
      };
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
    });
}

/** One file a source: servers of one machine may have different policies. */
function defaultKept({ policy, policyUrl, policyConfigmaps }: ServeFlags): string {
  const source = createHash('sha256')
    .update(JSON.stringify([policy, policyUrl, policyConfigmaps]))
    .digest('hex')
    .slice(0, 12);
  return join(dirname(defaultBudgets()), `policy-${source}.json`);
}

/** A start that failed ends the process, whatever it had opened: nothing may look as if it served. */
async function orExit<T>(start: Promise<T>): Promise<T> {
  try {
    return await start;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    process.exit(1);
  }
}

/** Null: none is wanted. Throws SluiceError. */
function requestIdHeaderOf(name: string): string | null {
  if (name === 'off') return null;
  if (!/^[a-zA-Z0-9-]{1,64}$/.test(name))
    throw new SluiceError('SLUICE_CLI_USAGE', `${name} is no name of a header.`, { where: '--request-id-header' });
  return name.toLowerCase();
}

function webhooks(flags: ServeFlags): SluiceOptions['webhook'] {
  const { webhook, webhookTls, sidecarTemplate: sidecar = null, egressUrl, egressService, egressHosts, egressCa, egressImage } = flags;
  if (webhook === undefined) return null;
  const wrong = (where: string, message: string): SluiceError => new SluiceError('SLUICE_CLI_USAGE', message, { where });
  if (webhookTls === undefined) throw wrong('--webhook', 'the API server calls webhooks by TLS only: --webhook-tls is needed.');
  if (egressUrl === undefined) {
    if (egressHosts !== undefined) throw wrong('--egress-hosts', 'it needs --egress-url.');
    return { listen: webhook, tls: webhookTls, sidecar, egress: null };
  }
  if (!URL.canParse(egressUrl)) throw wrong('--egress-url', `${egressUrl} is no URL.`);
  const url = egressUrl.replace(/\/+$/, '');
  if (egressHosts === undefined) return { listen: webhook, tls: webhookTls, sidecar, egress: { url, service: '', names: null } };
  if (egressService === undefined || egressCa === undefined || egressImage === undefined)
    throw wrong('--egress-hosts', 'it needs --egress-service, --egress-ca and --egress-image.');
  const hosts = egressHosts.split(',').map((host) => host.trim());
  return {
    listen: webhook,
    tls: webhookTls,
    sidecar,
    egress: { url, service: egressService, names: { hosts, caFile: egressCa, image: egressImage } },
  };
}

function envoyFiles(flags: ServeFlags): EnvoyFilesOptions | null {
  if (flags.envoyConfig === undefined) return null;
  return {
    folder: flags.envoyConfig,
    sluice: flags.listen,
    listen: flags.envoyListen,
    admin: flags.envoyAdmin,
    caFile: flags.envoyCa,
    chains: chainStyleOf(flags.envoyVersion),
    usage: usageModeOf(flags.envoyUsage, flags.envoyVersion, flags.listen),
    status: flags.envoyStatus ?? null,
    otlp: flags.envoyOtlp ?? null,
    tls:
      flags.envoyTls === undefined || flags.envoyTlsListen === undefined ? null : { listen: flags.envoyTlsListen, folder: flags.envoyTls },
  };
}

function policyUrlOf({ policyUrl, policyTtl, policyTokenFile }: ServeFlags): SluiceOptions['policyUrl'] {
  if (policyUrl === undefined) return null;
  const pairs = /\{(workspace|provider)\}/.test(policyUrl);
  if (!/^https?:\/\//.test(policyUrl) || !URL.canParse(policyUrl))
    throw new SluiceError('SLUICE_CLI_USAGE', 'this is no http or https URL.', { where: '--policy-url' });
  const seconds = Number(policyTtl);
  if (!(seconds >= 1 && seconds <= 86_400))
    throw new SluiceError('SLUICE_CLI_USAGE', 'the time is no number of seconds from 1 to 86400.', { where: '--policy-ttl' });
  return { url: policyUrl, pairs, ttlMs: seconds * 1_000, tokenFile: policyTokenFile ?? null };
}

/** Namespaces of `a,b`; none of `*`, which is all of them. */
function namespacesOf(text: string, flag = '--policy-configmaps'): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (flag === '--policy-configmaps' && names.length === 1 && names[0] === '*') return [];
  if (names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))) return names;
  throw new SluiceError('SLUICE_CLI_USAGE', `${text} is no list of namespaces.`, {
    where: flag,
    fix: flag === '--policy-configmaps' ? 'Write a,b or *.' : 'Write a,b.',
  });
}

/** Throws SluiceError. */
function statusMapOf(text: string): { readonly namespace: string; readonly name: string } {
  const found = /^([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\/([a-z0-9](?:[-.a-z0-9]*[a-z0-9])?)$/.exec(text);
  if (found === null)
    throw new SluiceError('SLUICE_CLI_USAGE', `${text} is not namespace/name.`, {
      where: '--policy-status',
      fix: 'Write for example llm/sluice-status.',
    });
  return { namespace: found[1]!, name: found[2]! };
}
