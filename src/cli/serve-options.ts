import { defaultEnvoyMemory, memoryBytesOf } from '../attach/overload.ts';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { SluiceOptions } from '../app/options.ts';
import type { EnvoyFilesOptions } from '../attach/files.ts';
import { usageModeOf } from '../attach/usage.ts';
import { abilitiesOf } from '../attach/abilities.ts';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import type { FlagValues } from './flags/flag.ts';
import type { serveFlags } from './flags/serve.ts';
import { defaultBudgets, defaultLedger } from './open-ledger.ts';

type ServeFlags = FlagValues<typeof serveFlags>;

/** Converts the flags of `serve` to options. `given`: the texts of optional flags. Throws SLUICE_CLI_USAGE. */
export function serveOptions(flags: ServeFlags, given: Readonly<Record<string, string | undefined>>): SluiceOptions {
  return {
    ...policySource(flags),
    policyKept: given['policyKept'] === undefined ? defaultKept(given) : flags.policyKept,
    catalog: flags.catalog,
    model: flags.model,
    embedding: flags.embedding,
    learningState: flags.learningState,
    catalogSource: flags.catalogSource,
    catalogIntervalMs: flags.catalogInterval,
    envoy: envoyFiles(flags),
    spareEndpoints: flags.spareEndpoints,
    envoyMemoryBytes: envoyMemoryOf(flags),
    webhook: webhooks(flags),
    certificates: certificatesOf(flags),
    listen: flags.listen,
    transport: flags.transport,
    transportMemoryBytes: flags.transportMemory ?? defaultTransportMemory(process.constrainedMemory()),
    maxDelayMs: flags.maxDelay,
    requestIdHeader: flags.requestIdHeader,
    admin: flags.admin,
    metrics: flags.metrics,
    adminToken: flags.adminToken,
    maskKey: flags.maskKey,
    cacheMemoryBytes: flags.cacheMemory,
    cacheRedis: redis(flags.cacheRedis, flags.cacheRedisPasswordFile, flags.cacheRedisCa, flags.cacheRedisDeadline),
    budgets: {
      file: given['budgets'] === undefined ? defaultBudgets() : flags.budgets,
      required: given['budgets'] !== undefined,
      redis: redis(flags.budgetsRedis, flags.budgetsRedisPasswordFile, flags.budgetsRedisCa, flags.budgetsRedisDeadline),
    },
    state: flags.state,
    log: flags.log,
    logLevel: flags.logLevel,
    logShare: flags.logShare,
    ledger: {
      file: given['ledger'] === undefined ? defaultLedger() : flags.ledger,
      required: given['ledger'] !== undefined,
      passwordFile: flags.ledgerPasswordFile,
      retentionDays: flags.ledgerRetention,
      keyFile: flags.ledgerKey,
    },
    records: flags.records,
  };
}

function policySource(flags: ServeFlags): Pick<SluiceOptions, 'policy' | 'policyConfigMaps' | 'policyUrl'> {
  const { policy, policyConfigmaps: namespaces, policyUrl: url } = flags;
  const pairs = url !== null && /\{(workspace|provider)\}/.test(url);
  if (url !== null && !pairs && (namespaces !== null || policy !== null))
    throw new SluiceError('SLUICE_CLI_USAGE', 'a whole policy is at a URL, in files or in ConfigMaps, not in two of them.', {
      where: '--policy-url',
    });
  return {
    policy,
    policyConfigMaps:
      namespaces === null
        ? null
        : {
            namespaces,
            labelSelector: flags.policySelector,
            llmPolicies: flags.policyKinds !== 'configmaps',
            status: flags.policyStatus,
            rollouts: flags.policyRollouts,
            trusted: flags.policyTrusted,
          },
    policyUrl: url === null ? null : { url, pairs, ttlMs: flags.policyTtl, tokenFile: flags.policyTokenFile },
  };
}

/** One file per source: servers on one machine may have different policies. */
function defaultKept({ policy, policyUrl, policyConfigmaps }: Readonly<Record<string, string | undefined>>): string {
  const source = createHash('sha256')
    .update(JSON.stringify([policy, policyUrl, policyConfigmaps]))
    .digest('hex')
    .slice(0, 12);
  return join(dirname(defaultBudgets()), `policy-${source}.json`);
}

function redis(url: string | null, passwordFile: string | null, caFile: string | null, deadlineMs: number): SluiceOptions['cacheRedis'] {
  return url === null ? null : { url, passwordFile, caFile, deadlineMs };
}

function webhooks(flags: ServeFlags): SluiceOptions['webhook'] {
  const { webhook: listen, webhookTls: tls, sidecarTemplate: sidecar, egressUrl: url } = flags;
  if (listen === null || tls === null) return null;
  const { egressService: service, egressHosts: hosts, egressCa: caFile, egressImage: image } = flags;
  const names =
    hosts === null || caFile === null || image === null
      ? null
      : { hosts, caFile, extraCaFiles: flags.egressExtraCa ?? [], image, pullSecrets: flags.egressPullSecrets ?? [] };
  return { listen, tls, sidecar, egress: url === null ? null : { url, service: names === null ? '' : (service ?? ''), names } };
}

function ownNames({ certificatesFor }: ServeFlags): readonly ('webhook' | 'egress')[] {
  return certificatesFor === 'both' ? ['webhook', 'egress'] : [certificatesFor];
}

function certificatesOf(flags: ServeFlags): SluiceOptions['certificates'] {
  if (flags.certificates === null) return null;
  const { certificatesFrom: from, webhookService: service, webhookConfigurations: configurations, certificatesDays: days } = flags;
  return { ...flags.certificates, from, service, configurations, validMs: days * 86_400_000, names: ownNames(flags) };
}

/** The rest is for the process itself, the cache and the bodies that are being decided. `allowed`: memory that the process may have; bytes. */
export function defaultTransportMemory(allowed: number): number {
  const share = allowed > 0 ? Math.floor(allowed / 3) : Infinity;
  return Math.max(limits.leastTransportMemoryBytes, Math.min(limits.transportMemoryBytes, share));
}

/** Known for an Envoy whose config Sluice writes, or where it was said; null: no bound. Bytes. */
function envoyMemoryOf({ envoyMemory, envoyConfig }: ServeFlags): number | null {
  return (envoyMemory ?? (envoyConfig === null ? 0 : memoryBytesOf(defaultEnvoyMemory))) || null;
}

function envoyFiles(flags: ServeFlags): EnvoyFilesOptions | null {
  if (flags.envoyConfig === null) return null;
  const { envoyTls: folder, envoyTlsListen: listen } = flags;
  return {
    folder: flags.envoyConfig,
    sluice: flags.listen,
    listen: flags.envoyListen,
    admin: flags.envoyAdmin,
    caFile: flags.envoyCa,
    abilities: abilitiesOf(flags.envoyVersion),
    usage: usageModeOf(flags.envoyUsage, flags.envoyVersion, flags.listen),
    status: flags.envoyStatus,
    otlp: flags.envoyOtlp,
    memoryBytes: envoyMemoryOf(flags),
    tls:
      folder === null || listen === null
        ? null
        : { listen, folder, added: flags.certificates !== null && ownNames(flags).includes('egress') },
    spare: flags.spareEndpoints !== null,
  };
}
