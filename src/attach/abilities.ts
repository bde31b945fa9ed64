import type { PolicySnapshot } from '../policy/types.ts';
import { requireSupported } from './versions.ts';

/** What an Envoy can do for Sluice. Decided once, by its version; everything else asks by name. */
export interface EnvoyAbilities {
  /** What Envoy writes into `abilitiesHeader`, so that Sluice knows on each request which Envoy calls. */
  readonly name: 'groups' | 'hosts' | 'none';
  /** It carries out chains: more than one attempt. Envoy 1.36 crashes on a retry that a filter in a cluster asks for. */
  readonly chains: boolean;
  /** Each attempt of a chain has a cluster of its own, by the priority-group cluster specifier (1.40). */
  readonly attemptClusters: boolean;
  /**
   * The targets of a chain are endpoints of one cluster, by its override-host load balancer (1.37 to 1.39, where retries cannot use clusters
   * per request).
   */
  readonly attemptEndpoints: boolean;
  /** It can mark the original of a copied request: copies can be sent to another model. */
  readonly mirrors: boolean;
  /** Its AI Protocol Manager reads usage. */
  readonly protocolManager: boolean;
}

const sets: Readonly<Record<EnvoyAbilities['name'], EnvoyAbilities>> = {
  groups: { name: 'groups', chains: true, attemptClusters: true, attemptEndpoints: false, mirrors: true, protocolManager: true },
  hosts: { name: 'hosts', chains: true, attemptClusters: false, attemptEndpoints: true, mirrors: false, protocolManager: false },
  none: { name: 'none', chains: false, attemptClusters: false, attemptEndpoints: false, mirrors: false, protocolManager: false },
};

/** Of the newest Envoy. */
export const allAbilities: EnvoyAbilities = sets.groups;
/** Of an Envoy that only carries single attempts. */
export const fewestAbilities: EnvoyAbilities = sets.none;

/** By version: `1.38`, with or without patch level. Throws SLUICE_CLI_USAGE if it is not supported. */
export function abilitiesOf(version: string): EnvoyAbilities {
  const minor = requireSupported(version);
  if (minor < 37) return sets.none;
  return minor < 40 ? sets.hosts : sets.groups;
}

/** By the value of the request header; absent means all, which need no header. */
export function abilitiesNamed(value: string | undefined): EnvoyAbilities {
  return value === 'hosts' || value === 'none' ? sets[value] : allAbilities;
}

/** The warning for a user whose policy has chains that their Envoy does not support; null if none is needed. */
export function chainWarning({ chains }: EnvoyAbilities, { hasChains }: Pick<PolicySnapshot, 'hasChains'>): string | null {
  return !chains && hasChains
    ? 'the policy has fallback chains, which this version of Envoy cannot carry out: every request gets one attempt. Envoy 1.37 can.'
    : null;
}
