import type { TierThresholds } from '../classify/types.ts';
import type { RateLimit } from './rate-types.ts';
import type { Budget, Webhook } from './budget-types.ts';
import type { Catalog } from '../catalog/types.ts';
import type { PolicyExperiment, RolloutPolicy } from './experiment-types.ts';
import type { HeadView } from './provider-paths.ts';
import type { CallersPolicy, PolicySection, Provider } from './section-types.ts';

export * from './section-types.ts';

export interface PolicyFile {
  readonly name: string;
  readonly text: string;
  /** The Kubernetes namespace of the ConfigMap that it is from; absent if it is from none or namespaces are not checked. */
  readonly namespace?: string;
  /** Lines before `text` in the original file (a ConfigMap's key inside its manifest). */
  readonly lineOffset?: number;
  readonly columnOffset?: number;
  /** Set if the text has no lines of its own there (a quoted string in a manifest): every problem is then shown at this place. */
  readonly at?: { readonly line: number; readonly column: number };
}

/** A request's provider and its path there; `ambiguous` if it may be more than one. */
export type Resolved = { readonly provider: Provider; readonly path: string } | 'ambiguous' | null;

/** An immutable, compiled policy. A request takes the current one when it starts and keeps it. */
export interface PolicySnapshot {
  /** Counts up from 1 in this process. */
  readonly number: number;
  /** SHA-256 of the source text, hex, first 16 digits. */
  readonly hash: string;
  /** Kubernetes resourceVersion where there is one. */
  readonly resourceVersion: string | null;
  /** Milliseconds since the epoch. */
  readonly loadedAt: number;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly catalog: Catalog;
  /** The source texts, in their order of precedence. */
  readonly files: readonly PolicyFile[];
  readonly experiments: readonly PolicyExperiment[];
  /** How it replaces the previous policy; null for at once. */
  readonly rollout: RolloutPolicy | null;
  /** Header names that state the workspace, in order; lower case. Default: x-sluice-workspace. */
  readonly workspaceHeaders: readonly string[];
  /** Header names that state the user, in order; lower case. Default: x-sluice-user. */
  readonly userHeaders: readonly string[];
  /** Headers that rules may read; lower case. */
  readonly ruleHeaders: readonly string[];
  /** Which callers are believed; null if everybody is. */
  readonly callers: CallersPolicy | null;
  /** Workspaces that metrics may name; others are counted as `other`. */
  readonly workspaces: readonly string[];
  /** Workspaces that the policy names in full; null if nothing is counted by workspace. */
  readonly namedWorkspaces: ReadonlySet<string> | null;
  /** Empty: nothing is counted. */
  readonly budgets: readonly Budget[];
  /** Empty: nothing is counted. */
  readonly rateLimits: readonly RateLimit[];
  /** Whether any of them limits concurrent requests. */
  readonly limitsConcurrent: boolean;
  /** Webhooks that budgets notify. */
  readonly webhooks: ReadonlyMap<string, Webhook>;
  /** Whether any section has a fallback. */
  readonly hasChains: boolean;
  /** Whether any section masks sensitive data. */
  readonly hasMasks: boolean;
  /** Whether any section asks the learned router. */
  readonly asksRouter: boolean;
  /** Whether any section compares the public quality of models. */
  readonly comparesModels: boolean;
  /** Key files of individual sections. */
  readonly keyFiles: readonly string[];
  /** Whether any section forbids requests to pass unread, undecided or with the app's own key. */
  readonly hasClosedSections: boolean;
  /** Whether any section refuses requests because of what they hold: by a rule, an override or a pattern. Envoy then waits longer for a decision. */
  readonly withholds: boolean;
  /** The decision table of each section that routes by tier, by the section's name. */
  readonly tierTables: ReadonlyMap<string, TierThresholds>;
  /** Finds a request's provider from its authority, path and headers, and its path without the provider's prefix. */
  resolveProvider(authority: string, path: string, head?: HeadView): Resolved;
  /** The most specific section for the pair; always exists. */
  section(workspace: string, provider: string): PolicySection;
}

/** Holds the current generation; sources push texts into it. */
export interface PolicyStore {
  current(): PolicySnapshot;
  /** The time of the last refused edit in milliseconds since the epoch, and its problems; null if the last edit was good. */
  lastRefusal(): { readonly at: number; readonly problems: readonly Problem[] } | null;
  onChange(listener: (generation: PolicySnapshot) => void): () => void;
  onRefusal(listener: (problems: readonly Problem[]) => void): () => void;
  close(): Promise<void>;
}

/** One of several sources of a policy, and how much of it is active. */
export interface PolicySourceState {
  /** `namespace/name` of a ConfigMap. */
  readonly id: string;
  /** That of its newest version, active or not. */
  readonly resourceVersion: string;
  readonly state: 'in-force' | 'last-good' | 'left-out';
  readonly problems: readonly Problem[];
}

/** The policy store of a server. */
export interface LivePolicyStore extends PolicyStore {
  /** Recompiles the active policy with a new catalog. If they do not fit, it keeps the old catalog. */
  setCatalog(catalog: Catalog): void;
  /** Empty if the policy has only one source. */
  sources(): readonly PolicySourceState[];
}

export type ProblemLevel = 'error' | 'warning';

/** One mistake in a policy: place, problem, and fix. */
export interface Problem {
  readonly level: ProblemLevel;
  /** Stable code, e.g. `unknown-model`. */
  readonly code: string;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  /** Path in the document, e.g. `sections[0].tiers.simple[1]`. */
  readonly path: string;
  readonly message: string;
  readonly fix: string;
}
