import type { TransportName } from '../extproc/transports.ts';
import type { EnvoyFilesOptions } from '../attach/files.ts';
import type { CertificateName } from '../kubernetes/certificates/renew.ts';
import type { BudgetSettings } from '../budgets/open.ts';
import type { RedisOptions } from '../cache/redis/index.ts';

export interface SluiceOptions {
  /** Policy file or folder; if null, the embedded policy. */
  readonly policy: string | null;
  /** Policy in ConfigMaps instead: namespaces in order of precedence; all if empty. Null if not used. */
  readonly policyConfigMaps: {
    readonly namespaces: readonly string[];
    readonly labelSelector: string;
    /** Whether LLMPolicies count too. */
    readonly llmPolicies: boolean;
    /** The ConfigMap for the policies' status; null if none is written. */
    readonly status: { readonly namespace: string; readonly name: string } | null;
    /** The ConfigMap in which replicas agree on rollouts; null if they do not. */
    readonly rollouts: { readonly namespace: string; readonly name: string } | null;
    /** Namespaces that may write everything; if null, the first one, or with all namespaces Sluice's own. */
    readonly trusted: readonly string[] | null;
  } | null;
  /**
   * Policy at a URL; null if not used. `pairs`: the URL contains `{workspace}` or `{provider}` and is fetched for each pair, on top of the
   * policy from the other settings.
   */
  readonly policyUrl: { readonly url: string; readonly pairs: boolean; readonly ttlMs: number; readonly tokenFile: string | null } | null;
  /** Where the last good policy is kept for a start that cannot read one; null if it is not kept. */
  readonly policyKept: string | null;
  /** The request header with the app's own id, lower case; null if it is not recorded. */
  readonly requestIdHeader: string | null;
  /** Catalog file; if null, the embedded one. */
  readonly catalog: string | null;
  /** The learned router's model file, watched for changes; if null, the model that comes with Sluice. */
  readonly model: string | null;
  /** Folder of the sentence model; null if there is none. */
  readonly embedding: string | null;
  /** File that keeps what was learnt from grades; if null, it is lost when the process ends. */
  readonly learningState: string | null;
  /** Price list (file or URL) imported into `catalog` every `catalogIntervalMs`; null if none. */
  readonly catalogSource: string | null;
  readonly catalogIntervalMs: number;
  /** The API server's admission webhooks; null if none. `egress`: null if no pod is changed. */
  readonly webhook: {
    readonly listen: string;
    readonly tls: string;
    /** File with the containers of a gateway in the app's own pod; null if not offered. */
    readonly sidecar: string | null;
    readonly egress: {
      readonly url: string;
      readonly service: string;
      readonly names: {
        readonly hosts: readonly string[];
        readonly caFile: string;
        /** Files with further CAs for the pods' bundle. */
        readonly extraCaFiles: readonly string[];
        readonly image: string;
        readonly pullSecrets: readonly string[];
      } | null;
    } | null;
  } | null;
  /**
   * The Secret in which CA and certificates of the webhooks and of Envoy's names are made and kept; null: their folders are filled by others.
   * `from`: a Secret with a CA that is taken in place of a new one. `service`: host name of the webhooks. `configurations`: name of the
   * webhook configurations that are to trust the CA.
   */
  readonly certificates: {
    readonly namespace: string;
    readonly name: string;
    readonly from: string | null;
    readonly service: string | null;
    readonly configurations: string | null;
    readonly validMs: number;
    /** Which of the certificates. */
    readonly names: readonly CertificateName[];
  } | null;
  /** The Service that uses this pod's Envoy while none of its pods is ready; null: none. */
  readonly spareEndpoints: { readonly namespace: string; readonly name: string } | null;
  /** Envoy's config as files that follow the policy; null if Envoy's config is managed elsewhere. */
  readonly envoy: EnvoyFilesOptions | null;
  /** Memory that Envoy may use in all, bytes; null: not known or not bounded. */
  readonly envoyMemoryBytes: number | null;
  /** `unix:/path` or `host:port`. */
  readonly listen: string;
  readonly transport: TransportName;
  /** Bound of the bytes that the transport `frames` holds. */
  readonly transportMemoryBytes: number;
  /** How late the event loop may be before new requests pass undecided, ms; 0: no limit. */
  readonly maxDelayMs: number;
  /** `host:port`; port 0: any free one. */
  readonly admin: string;
  /** `host:port` of a second server with only metrics and health; null if none. */
  readonly metrics: string | null;
  /** Token required for state-changing requests; if null, such requests must come from this machine. */
  readonly adminToken: string | null;
  /** The key for mask tokens; if null, this process generates one. */
  readonly maskKey: string | null;
  /** Maximum size of the answers cached in memory. */
  readonly cacheMemoryBytes: number;
  /** A Redis behind the memory cache; null if none. */
  readonly cacheRedis: RedisOptions | null;
  readonly budgets: BudgetSettings;
  /** File that keeps rollouts and stopped experiments across restarts; null if they are not kept. */
  readonly state: string | null;
  /** A file, or `-` for stdout. */
  readonly log: string;
  readonly logLevel: string;
  /** Share of the successful exchanges that is logged, 0 to 1. */
  readonly logShare: number;
  readonly ledger: LedgerSettings;
  /** Where records go besides log and ledger. */
  readonly records: 'otlp' | 'off';
  /** The number of this process, if it is one of several workers that share the address for Envoy; else absent. */
  readonly worker?: number;
}

interface LedgerSettings {
  /** SQLite file, `postgres://…` or `clickhouse://…`; null if there is no ledger. */
  readonly file: string | null;
  /** File with the database's password. */
  readonly passwordFile: string | null;
  /** Whether the user asked for it: then a file that cannot be opened stops the start; otherwise Sluice logs it and runs without. */
  readonly required: boolean;
  readonly retentionDays: number;
  /** PEM file of an Ed25519 private key that signs checkpoints; null if they are unsigned. */
  readonly keyFile: string | null;
}
