import type { EnvoyFilesOptions } from '../attach/files.ts';
import type { BudgetSettings } from '../budgets/open.ts';
import type { RedisOptions } from '../cache/redis/index.ts';

export interface SluiceOptions {
  /** Policy file or folder; null: the embedded policy. */
  readonly policy: string | null;
  /** The policy is in ConfigMaps instead: namespaces in order of precedence, none: all. Null: it is not. */
  readonly policyConfigMaps: {
    readonly namespaces: readonly string[];
    readonly labelSelector: string;
    /** The ConfigMap that says how the policies are doing; null: none does. */
    readonly status: { readonly namespace: string; readonly name: string } | null;
    /** Those that may write everything; null: the first one, or of all the one that Sluice runs in. */ readonly trusted:
      readonly string[] | null;
  } | null;
  /**
   * The policy is at a URL; null: it is not. `pairs`: the URL names `{workspace}` or `{provider}` and is asked for each pair, on top
   * of the policy that the other settings name.
   */
  readonly policyUrl: { readonly url: string; readonly pairs: boolean; readonly ttlMs: number; readonly tokenFile: string | null } | null;
  /** Where the last good policy is kept for a start that cannot read one; null: nowhere. */
  readonly policyKept: string | null;
  /** The request header with the app's own id, lower case; null: it is not recorded. */
  readonly requestIdHeader: string | null;
  /** Catalog file; null: the embedded one. */
  readonly catalog: string | null;
  /** Learned router's model, followed; null: the one that comes with Sluice. */
  readonly model: string | null;
  /** File that keeps what was learnt from grades; null: it is forgotten with the process. */
  readonly learningState: string | null;
  /** Price list, file or URL, that is imported into `catalog` every `catalogIntervalMs`; null: never. */
  readonly catalogSource: string | null;
  readonly catalogIntervalMs: number;
  /** The API server's admission webhooks; null: none. `egress` null: no pod is changed. */
  readonly webhook: {
    readonly listen: string;
    readonly tls: string;
    /** File with the containers of a gateway in the app's own pod; null: not offered. */
    readonly sidecar: string | null;
    readonly egress: {
      readonly url: string;
      readonly service: string;
      readonly names: { readonly hosts: readonly string[]; readonly caFile: string; readonly image: string } | null;
    } | null;
  } | null;
  /** Envoy's config as files that follow the policy; null: Envoy is somebody else's. */
  readonly envoy: EnvoyFilesOptions | null;
  /** `unix:/path` or `host:port`. */
  readonly listen: string;
  /** How late the event loop may be before new requests pass undecided, ms; 0: never mind. */
  readonly maxDelayMs: number;
  /** `host:port`; port 0: any free one. */
  readonly admin: string;
  /** `host:port` of a second server with metrics and health alone; null: none. */
  readonly metrics: string | null;
  /** Needed for what is more than reading; null: such requests must come from this machine. */
  readonly adminToken: string | null;
  /** What tokens for masked data are made with; null: a key of this process's own. */
  readonly maskKey: string | null;
  /** Bound of the answers that are cached in memory. */
  readonly cacheMemoryBytes: number;
  /** A Redis behind the memory; null: none. */
  readonly cacheRedis: RedisOptions | null;
  readonly budgets: BudgetSettings;
  /** File in which rollouts and stopped experiments survive a restart; null: they do not. */
  readonly state: string | null;
  /** A file, or `-` for stdout. */
  readonly log: string;
  readonly logLevel: string;
  /** Share of the exchanges that went well that is logged, 0 to 1. */
  readonly logShare: number;
  readonly ledger: LedgerSettings;
}

export interface LedgerSettings {
  /** SQLite file, or `postgres://…`; null: no ledger. */
  readonly file: string | null;
  /** File with the database's password. */
  readonly passwordFile: string | null;
  /** Whether the user asked for it: then a file that cannot be opened stops the start, else it is told and left out. */
  readonly required: boolean;
  readonly retentionDays: number;
  /** PEM file of an Ed25519 private key that signs checkpoints; null: unsigned. */
  readonly keyFile: string | null;
}
