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
  /** The Kubernetes namespace of the ConfigMap that it is from; absent: it is from none, or nobody asks. */
  readonly namespace?: string;
  /** Lines before `text` in the file that people see (a ConfigMap's key inside its manifest). */
  readonly lineOffset?: number;
  readonly columnOffset?: number;
  /** Set when the text has no lines of its own there (a quoted string in a manifest): every problem is shown at this place. */
  readonly at?: { readonly line: number; readonly column: number };
}

/** Which provider a request is for, and its path there; `ambiguous`: more than one may be meant. */
export type Resolved = { readonly provider: Provider; readonly path: string } | 'ambiguous' | null;

/** An immutable, compiled policy. A request takes the current one when it starts and keeps it. */
export interface PolicyGeneration {
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
  /** How it takes the place of the policy before it; null: at once. */
  readonly rollout: RolloutPolicy | null;
  /** Header names that say the workspace, in order; lower case. Default: x-sluice-workspace. */
  readonly workspaceHeaders: readonly string[];
  /** Header names that say the user, in order; lower case. Default: x-sluice-user. */
  readonly userHeaders: readonly string[];
  /** Headers that rules may read; lower case. */
  readonly ruleHeaders: readonly string[];
  /** Who is believed; null: everybody. */
  readonly callers: CallersPolicy | null;
  /** Workspaces that metrics may name; others are counted as `other`. */
  readonly workspaces: readonly string[];
  /** Workspaces that the policy names whole; null: nothing is counted by workspace. */
  readonly namedWorkspaces: ReadonlySet<string> | null;
  /** Empty: nothing is counted. */
  readonly budgets: readonly Budget[];
  /** Empty: nothing is counted. */
  readonly rateLimits: readonly RateLimit[];
  /** Whether any of them limits requests at the same time. */
  readonly limitsConcurrent: boolean;
  /** Where budgets tell people. */
  readonly webhooks: ReadonlyMap<string, Webhook>;
  /** Whether any section says what happens when a target fails. */
  readonly hasChains: boolean;
  /** Whether any section masks sensitive data. */
  readonly hasMasks: boolean;
  /** Files with keys of single sections. */
  readonly keyFiles: readonly string[];
  /** Whether any section lets nothing pass unread, undecided or with the app's own key. */
  readonly hasClosedSections: boolean;
  /** Which provider a request is for, from its authority, path and headers, and the path without the provider's prefix. */
  resolveProvider(authority: string, path: string, head?: HeadView): Resolved;
  /** The most specific section for the pair; there always is one. */
  section(workspace: string, provider: string): PolicySection;
}

/** Holds the current generation; sources push texts into it. */
export interface PolicyStore {
  current(): PolicyGeneration;
  /** Milliseconds since the epoch of the last refused edit and its problems; null when the last edit was good. */
  lastRefusal(): { readonly at: number; readonly problems: readonly Problem[] } | null;
  onChange(listener: (generation: PolicyGeneration) => void): () => void;
  onRefusal(listener: (problems: readonly Problem[]) => void): () => void;
  close(): Promise<void>;
}

/** One source of a policy that is made of several, and how much of it is in force. */
export interface PolicySourceState {
  /** `namespace/name` of a ConfigMap. */
  readonly id: string;
  /** Of its newest version, in force or not. */
  readonly resourceVersion: string;
  readonly state: 'in-force' | 'last-good' | 'left-out';
  readonly problems: readonly Problem[];
}

/** A store that a server lives on. */
export interface LivePolicyStore extends PolicyStore {
  /** Compiles the policy in force again on other price facts. When they do not suit it, it keeps those that it has. */
  setCatalog(catalog: Catalog): void;
  /** Empty where the policy is one whole. */
  sources(): readonly PolicySourceState[];
}

export type ProblemLevel = 'error' | 'warning';

/** One mistake in a policy: where, what, and what would be right. */
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
