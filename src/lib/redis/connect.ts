import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { SluiceError } from '../errors.ts';
import { readText } from '../read-file.ts';

export type RedisClient = Redis | Cluster;

export interface RedisTarget {
  /** redis://, rediss://, redis-sentinel://, rediss-sentinel://, redis-cluster://, rediss-cluster://. */
  readonly url: string;
  /** File with the password; null for the URL's. */
  readonly passwordFile: string | null;
  /** File with the CAs of a TLS server; null for the system's. */
  readonly caFile: string | null;
}

/** Time-out of connecting, and of a response before the connection counts as dead, in ms. */
const connectMs = 2_000;
const deadMs = 2_000;

const shape = /^redis(s?)(?:-(sentinel|cluster))?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/]+)(?:\/(.*))?$/;

/** How often a hasty client's command follows a moving slot, or is retried while it moves. */
const hastyRedirections = 5;

/** A client that has not connected yet; a hasty one does not wait for a moving cluster slot. Throws SluiceError for an invalid URL. */
export function redisClient(target: RedisTarget, hasty = false): RedisClient {
  const found = shape.exec(target.url);
  if (found === null) throw usage('this is no Redis URL');
  const [, tls = '', kind = 'single', user = '', secret = '', hosts = '', rest = ''] = found;
  const nodes = hosts.split(',').map((host) => nodeOf(host, kind === 'sentinel' ? 26_379 : 6_379));
  const password = target.passwordFile === null ? decodeURIComponent(secret) : readText(target.passwordFile).trim();
  const tlsOptions = target.caFile === null ? {} : { ca: readText(target.caFile) };
  const options = {
    ...(user === '' ? {} : { username: decodeURIComponent(user) }),
    ...(password === '' ? {} : { password }),
    ...(tls === '' ? {} : { tls: tlsOptions }),
    lazyConnect: true,
    // A lookup that cannot be sent now is a miss; queued commands would all arrive at once, much too late.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: connectMs,
    socketTimeout: deadMs,
    retryStrategy: (times: number) => Math.min(2_000, 50 * 2 ** Math.min(times, 6)),
    connectionName: 'sluice',
    // The replies are texts, numbers and bytes in either protocol; the older one needs no extra round trip on connecting.
    protocol: 2,
  } satisfies RedisOptions;
  if (kind === 'cluster') {
    const { enableOfflineQueue, retryStrategy, lazyConnect, ...redisOptions } = options;
    return new Cluster(nodes, {
      redisOptions,
      lazyConnect,
      enableOfflineQueue,
      slotsRefreshTimeout: connectMs,
      clusterRetryStrategy: retryStrategy,
      ...(hasty ? { maxRedirections: hastyRedirections, retryDelayOnTryAgain: 0 } : {}),
    });
  }
  if (kind === 'sentinel') {
    if (rest === '') throw usage('a Sentinel URL ends in the name of the master');
    return new Redis({
      ...options,
      sentinels: nodes,
      name: rest,
      ...(tls === '' ? {} : { sentinelTLS: tlsOptions, enableTLSForSentinelMode: true }),
    });
  }
  if (nodes.length !== 1) throw usage('more than one host needs redis-sentinel:// or redis-cluster://');
  if (rest !== '' && !/^\d{1,3}$/.test(rest)) throw usage('the database is a number');
  return new Redis({ ...options, ...nodes[0]!, db: Number(rest === '' ? 0 : rest) });
}

function nodeOf(text: string, defaultPort: number): { host: string; port: number } {
  const found = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  if (found === null) throw usage(`${text} is no host`);
  return { host: found[1]!.replace(/^\[|\]$/g, ''), port: found[2] === undefined ? defaultPort : Number(found[2]) };
}

/** Never quotes the URL: it may hold a password. */
function usage(what: string): SluiceError {
  return new SluiceError('SLUICE_CLI_USAGE', `${what}.`, {
    where: 'Redis',
    fix: 'Write redis://host:6379, rediss://…, redis-sentinel://host,host/master or redis-cluster://host,host.',
  });
}
