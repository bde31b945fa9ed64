import type { Mode, Problem, Provider } from '../policy/types.ts';

/** A running Sluice's facts about itself and its dependencies: the answer of GET /checks. */
export interface SelfFacts {
  readonly version: string;
  /** Its clock, ISO 8601 with ms. */
  readonly time: string;
  readonly ready: boolean;
  /** Where Envoy connects to it: `unix:/path` or `host:port`. */
  readonly listen: string;
  /** Envoy's admin, if Sluice writes Envoy's config; else null. */
  readonly envoyAdmin: string | null;
  readonly policy: {
    readonly hash: string;
    /** No policy was given: the one that ships with Sluice is in force. */
    readonly embedded: boolean;
    /** Since when the policy kept from an earlier run is in force, because the policy cannot be read now; null if it can be read. */
    readonly keptSince: string | null;
    readonly refused: readonly Problem[];
    /** The mode of requests without a workspace, by provider. */
    readonly modes: Readonly<Record<string, Mode>>;
    readonly failClosed: boolean;
    /** Absent in facts of older versions. */
    readonly closedProviders?: readonly string[];
    /** Absent in facts of older versions. */
    readonly withholds?: boolean;
    readonly providers: readonly Omit<Provider, 'deployments'>[];
  };
  readonly keys: readonly { readonly file: string; readonly providers: readonly string[]; readonly problem: 'none' | 'resting' | null }[];
  /** `error`: the error of a query to it. Null if no ledger is kept. */
  readonly ledger: {
    readonly place: string;
    /** Name for people: SQLite, PostgreSQL. */
    readonly kind: string;
    /** It is a database that replicas share. */
    readonly shared: boolean;
    readonly error: string | null;
    readonly failures: number;
    readonly dropped: number;
    readonly waiting: number;
  } | null;
  readonly redis: readonly { readonly use: 'cache' | 'budgets'; readonly up: boolean }[];
  /** Free bytes of the paths that are written to. */
  readonly disks: readonly { readonly path: string; readonly freeBytes: number | null }[];
  /** Files that hold certificates; `until`: ISO 8601, or null if none can be read. */
  readonly certificates: readonly { readonly file: string; readonly until: string | null }[];
}

type CheckState = 'ok' | 'warning' | 'error' | 'skipped';

/** One finding of `sluice doctor`. `fix`: what to do; empty if nothing. */
export interface CheckResult {
  readonly check: string;
  readonly state: CheckState;
  readonly found: string;
  readonly fix: string;
}

export function ok(check: string, found: string): CheckResult {
  return { check, state: 'ok', found, fix: '' };
}

export function bad(check: string, state: 'warning' | 'error' | 'skipped', found: string, fix: string): CheckResult {
  return { check, state, found, fix };
}
