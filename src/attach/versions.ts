import { SluiceError } from '../lib/errors.ts';
import type { PolicyGeneration } from '../policy/types.ts';

/**
 * How an Envoy receives the targets of a chain.
 * - `groups`: clusters, by its priority-group cluster specifier (1.40)
 * - `hosts`: endpoints of one cluster, by its override-host load balancer (1.37 to 1.39, where retries cannot use per-request clusters)
 * - `none`: not supported (1.36, which crashes on a retry requested by a filter in a cluster)
 */
export type ChainStyle = 'groups' | 'hosts' | 'none';

const oldest = 36;
const newest = 40;

/** Versions for which config can be rendered, oldest first. */
export const envoyVersions: readonly string[] = Array.from({ length: newest - oldest + 1 }, (_, index) => `1.${oldest + index}`);

export const defaultEnvoyVersion = `1.${newest}`;

/** 38 for `1.38` and for `1.38.2`; 0 if it is not a version. */
export function minorOf(version: string): number {
  return Number(/^v?1\.(\d{1,3})(\.\d+(\.post\d+)?)?$/.exec(version)?.[1] ?? 0);
}

/** Chain support of a version. `version`: `1.38`, with or without patch level. Throws SLUICE_CLI_USAGE if it is not supported. */
export function chainStyleOf(version: string): ChainStyle {
  const minor = minorOf(version);
  if (minor < oldest) {
    throw new SluiceError('SLUICE_CLI_USAGE', `${version} is no version of Envoy that Sluice has been tried on.`, {
      where: '--envoy-version',
      fix: `Say one of ${envoyVersions.join(', ')}; a newer one counts as ${defaultEnvoyVersion}.`,
    });
  }
  if (minor === oldest) return 'none';
  return minor < newest ? 'hosts' : 'groups';
}

/** Parses a request header's value; absent means groups, which need no header. */
export function chainStyleOfHeader(value: string | undefined): ChainStyle {
  return value === 'hosts' || value === 'none' ? value : 'groups';
}

/** The warning for a user whose policy has chains that their Envoy does not support; null if none is needed. */
export function chainWarning(chains: ChainStyle, { hasChains }: Pick<PolicyGeneration, 'hasChains'>): string | null {
  return chains === 'none' && hasChains
    ? 'the policy has fallback chains, which this version of Envoy cannot carry out: every request gets one attempt. Envoy 1.37 can.'
    : null;
}
