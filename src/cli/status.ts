import type { Command } from 'commander';
import { SluiceError } from '../lib/errors.ts';
import { statusText } from '../status/report.ts';
import { replicaStatus, type ReplicaStatus } from '../status/replica.ts';
import type { Sidecars } from '../status/sidecars.ts';
import { adminUrl } from './ask-admin.ts';
import { shared } from './flags/shared.ts';

interface StatusFlags {
  readonly admin?: readonly string[];
  readonly context?: string;
  readonly namespace?: string;
  readonly release?: string;
  readonly json?: boolean;
}

/** Maximum time to wait for one response of a replica, in ms. */
const askMs = 10_000;

/** `sluice status`: the replicas of a release or at given addresses: policies, fallbacks, savings, and the share of usage that is known. */
export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('replicas of a release in Kubernetes, or at addresses: their policies, fallbacks and savings')
    .option('--admin <url...>', 'ask these admin addresses instead of a cluster')
    .option(...shared.context)
    .option('--namespace <name>', "where the release is (default: the context's)")
    .option('--release <name>', 'a helm release (default: all pods of Sluice in the namespace)')
    .option(...shared.json)
    .action(async (flags: StatusFlags) => {
      const { where, wanted, replicas, sidecars } =
        flags.admin === undefined ? await inCluster(flags) : await atAddresses(flags.admin, flags);
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ where, wanted, replicas, sidecars }, null, 2)}\n`
          : statusText(where, wanted, replicas, sidecars),
      );
      // For scripts: something is wrong or unknown.
      if (replicas.length === 0 || replicas.some(({ ready, state }) => !ready || state === 'unknown') || isShort(sidecars))
        process.exitCode = 1;
    });
}

const isShort = (sidecars: Sidecars | null): boolean => sidecars?.state === 'listed' && sidecars.ready < sidecars.pods;

interface Found {
  readonly where: string;
  readonly wanted: number | null;
  readonly replicas: readonly ReplicaStatus[];
  readonly sidecars: Sidecars | null;
}

async function inCluster({ context, namespace, release }: StatusFlags): Promise<Found> {
  // The client library takes half a second to load, so it is loaded only when needed.
  const [{ findRelease }, { loadKubeConfig }] = await Promise.all([import('../kubernetes/release.ts'), import('../kubernetes/client.ts')]);
  const config = orAddresses(() => loadKubeConfig(context));
  const named = config.getCurrentContext();
  const found = await findRelease(config, namespace ?? config.getContextObject(named)?.namespace ?? 'default', release ?? null);
  return {
    where: `${release === undefined ? 'Sluice' : `release ${release}`} in ${found.namespace} of ${named}`,
    wanted: found.wanted,
    sidecars: found.sidecars,
    replicas: await Promise.all(found.pods.map(({ name, ready, ask }) => replicaStatus(name, ready, (path) => withinTime(ask(path))))),
  };
}

/** Without a cluster, addresses are enough. */
function orAddresses<T>(load: () => T): T {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    throw new SluiceError(error.code, error.message, {
      fix: `${error.fix} Without a cluster name addresses, such as --admin 127.0.0.1:9901.`,
      cause: error,
    });
  }
}

async function atAddresses(addresses: readonly string[], { context, namespace, release }: StatusFlags): Promise<Found> {
  if (context !== undefined || namespace !== undefined || release !== undefined)
    throw new SluiceError('SLUICE_CLI_USAGE', 'an address is in no cluster.', {
      where: '--admin',
      fix: 'Leave --context, --namespace and --release out.',
    });
  const replicas = await Promise.all(
    addresses.map(async (address) => {
      const url = adminUrl(address);
      const ready = await askAddress(url, '/readyz').then(
        () => true,
        () => false,
      );
      return replicaStatus(address, ready, (path) => askAddress(url, path));
    }),
  );
  return { where: 'Sluice', wanted: null, replicas, sidecars: null };
}

async function askAddress(address: URL, path: string): Promise<string> {
  const response = await fetch(new URL(path, address), { signal: AbortSignal.timeout(askMs) });
  if (!response.ok) throw new Error(`${path}: it answered ${response.status}`);
  return response.text();
}

async function withinTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${askMs / 1_000} s`)), askMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
