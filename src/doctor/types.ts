import type { Mode, Problem, Provider } from '../policy/types.ts';

/** What a running Sluice knows of itself and of what it depends on: the answer of GET /checks. */
export interface SelfFacts {
  readonly version: string;
  /** Its clock, ISO 8601 with ms. */
  readonly time: string;
  readonly ready: boolean;
  /** Where Envoy finds it: `unix:/path` or `host:port`. */
  readonly listen: string;
  /** Envoy's admin, where Sluice writes Envoy's config; null: it does not. */
  readonly envoyAdmin: string | null;
  readonly policy: {
    readonly hash: string;
    /** No policy was given: the one that comes with Sluice is in force. */
    readonly embedded: boolean;
    /** In force since an earlier run, because the policy cannot be read now; null: it can. */
    readonly keptSince: string | null;
    readonly refused: readonly Problem[];
    /** What requests without a workspace get, by provider. */
    readonly modes: Readonly<Record<string, Mode>>;
    readonly failClosed: boolean;
    readonly providers: readonly Omit<Provider, 'deployments'>[];
  };
  readonly keys: readonly { readonly file: string; readonly providers: readonly string[]; readonly problem: 'none' | 'resting' | null }[];
  /** `error`: what a question to it was answered with. Null: none is kept. */
  readonly ledger: {
    readonly place: string;
    /** For people: SQLite, PostgreSQL. */
    readonly kind: string;
    /** It is a database that replicas share. */
    readonly shared: boolean;
    readonly error: string | null;
    readonly failures: number;
    readonly dropped: number;
    readonly waiting: number;
  } | null;
  readonly redis: readonly { readonly use: 'cache' | 'budgets'; readonly up: boolean }[];
  /** Of what is written to: bytes that may still be written there. */
  readonly disks: readonly { readonly path: string; readonly freeBytes: number | null }[];
  /** Files that hold certificates; `until`: ISO 8601, or null where none can be read. */
  readonly certificates: readonly { readonly file: string; readonly until: string | null }[];
}

export type CheckState = 'ok' | 'warning' | 'error' | 'skipped';

/** One finding of `sluice doctor`. `fix`: what to do; empty where there is nothing. */
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
