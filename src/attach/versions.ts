import { SluiceError } from '../lib/errors.ts';
import type { PolicyGeneration } from '../policy/types.ts';

/**
 * How an Envoy is told the targets of a chain.
 * - `groups`: clusters, by its priority-group cluster specifier (1.40)
 * - `hosts`: endpoints of one cluster, by its override-host load balancer (1.37 to 1.39, whose retries cannot be sent to clusters that are named per request)
 * - `none`: not at all (1.36, which falls over a retry that a filter in a cluster asks for)
 */
export type ChainStyle = 'groups' | 'hosts' | 'none';

const oldest = 36;
const newest = 40;

/** Versions that the config can be rendered for, oldest first. */
export const envoyVersions: readonly string[] = Array.from({ length: newest - oldest + 1 }, (_, index) => `1.${oldest + index}`);

export const defaultEnvoyVersion = `1.${newest}`;

/** 38 of `1.38` and of `1.38.2`; 0 of what is no version. */
export function minorOf(version: string): number {
  return Number(/^v?1\.(\d{1,3})(\.\d+(\.post\d+)?)?$/.exec(version)?.[1] ?? 0);
}

/** What a version can do with chains. `version`: `1.38`, patch level or not. Throws SLUICE_CLI_USAGE on one that is not supported. */
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

/** A request header's value as a style; absent: groups, which need no header. */
export function chainStyleOfHeader(value: string | undefined): ChainStyle {
  return value === 'hosts' || value === 'none' ? value : 'groups';
}

/** What to tell a user whose policy has chains that their Envoy cannot carry out; null: nothing. */
export function chainWarning(chains: ChainStyle, { hasChains }: Pick<PolicyGeneration, 'hasChains'>): string | null {
  return chains === 'none' && hasChains
    ? 'the policy has fallback chains, which this version of Envoy cannot carry out: every request gets one attempt. Envoy 1.37 can.'
    : null;
}
