import { CoreV1Api, type KubeConfig, type V1ConfigMap } from '@kubernetes/client-node';
import type { PolicySourceState } from '../policy/types.ts';
import { apiFailure, apiStatus, despiteConflicts } from './client.ts';
import { policyObjectId, newerVersion, type PolicyObject } from './compose.ts';

/** How far a policy has come, as the replica with the newest view saw it. */
export interface Rollout {
  /** Hash of that replica's policy. */
  readonly hash: string;
  /** `2/2`: how many of the live replicas have it. */
  readonly replicas: string;
  readonly everywhere: boolean;
}

export type StatusSource = PolicySourceState & { readonly object: PolicyObject };

/** The policy that a replica has in force. */
export interface PolicyView {
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Newest resourceVersion seen by the replica; null if there is no policy. */
  readonly seen: string | null;
  readonly sources: readonly StatusSource[];
}

export interface PolicyStatusOptions {
  readonly config: KubeConfig;
  /** The status ConfigMap, which must exist. */
  readonly namespace: string;
  readonly name: string;
  /** This replica's name. */
  readonly replica: string;
  /** Called when all replicas have a version in force. `replicas`: `2/2`. */
  readonly onInForce: (object: PolicyObject, hash: string, replicas: string) => void;
  /** Called when this replica wrote the lines: how far each policy has come. Never rejects. */
  readonly onWritten: (sources: readonly StatusSource[], rollout: Rollout) => Promise<void>;
  readonly onError: (failure: string) => void;
}

/** Interval of reports from a replica without changes, and the time after which a silent one is not counted, in ms. */
const heartbeatMs = 20_000;
const goneMs = 70_000;

/** Changes within this time are combined into one report, in ms. */
const settleMs = 100;

/** Most policies listed: the API server's limit is a megabyte. */
const mostLines = 1_000;

/** A problem is truncated to this many characters. */
const problemLength = 200;

/**
 * Writes the status of the policies to a ConfigMap, for users and scripts with only kubectl: one line each under `NAMESPACE.NAME` (of an LLMPolicy `NAMESPACE.LLMPolicy.NAME`), and
 * under `NAMESPACE.NAME.version` the newest resourceVersion that every replica has in force. Each replica writes its own report, and the
 * one with the newest view writes the lines.
 */
export class PolicyStatus {
  readonly #options: PolicyStatusOptions;
  readonly #api: CoreV1Api;
  readonly #heartbeat: NodeJS.Timeout;
  #view: PolicyView | null = null;
  #settle: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(options: PolicyStatusOptions) {
    this.#options = options;
    this.#api = options.config.makeApiClient(CoreV1Api);
    this.#heartbeat = setInterval(() => this.#write(), heartbeatMs);
    this.#heartbeat.unref();
  }

  report(view: PolicyView): void {
    this.#view = view;
    this.#settle ??= setTimeout(() => {
      this.#settle = null;
      this.#write();
    }, settleMs).unref();
  }

  /** Removes this replica from the count. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    if (this.#settle !== null) clearTimeout(this.#settle);
    await this.#writing;
    if (this.#view !== null) await this.#try(null);
  }

  #write(): void {
    const view = this.#view;
    if (view !== null) this.#writing = this.#writing.then(() => this.#try(this.#view ?? view));
  }

  /** Never rejects. */
  async #try(view: PolicyView | null): Promise<void> {
    try {
      await despiteConflicts(() => this.#report(view));
      this.#failed = false;
    } catch (error) {
      if (apiStatus(error) === 409) return;
      // Reported once per series of failures; the next report tries again.
      if (!this.#failed) this.#options.onError(apiFailure(error));
      this.#failed = true;
    }
  }

  async #report(view: PolicyView | null): Promise<void> {
    const { namespace, name, replica, onInForce, onWritten } = this.#options;
    const status = await this.#api.readNamespacedConfigMap({ namespace, name });
    const before = status.data ?? {};
    const { data, news, rollout } = statusData(before, replica, view, Date.now());
    await this.#api.replaceNamespacedConfigMap({ namespace, name, body: Object.assign(status, { data }) satisfies V1ConfigMap });
    if (view !== null) for (const source of news) onInForce(source, view.hash, data['replicas'] ?? '');
    if (view !== null && rollout !== null) await onWritten(view.sources, rollout);
  }
}

interface Report {
  readonly hash: string;
  readonly seen: string;
  readonly at: number;
}

const reportKey = 'replica.';

/**
 * The ConfigMap's data after a replica's report (null removes it), what every replica has in force since then, and how far the policy has
 * come; null if that is for another replica to say.
 */
export function statusData(
  before: Readonly<Record<string, string>>,
  replica: string,
  view: PolicyView | null,
  now: number,
): { readonly data: Record<string, string>; readonly news: readonly PolicyObject[]; readonly rollout: Rollout | null } {
  const reports = new Map<string, Report>();
  for (const [key, text] of Object.entries(before)) {
    const report = key.startsWith(reportKey) ? readReport(text) : null;
    if (report !== null && now - report.at < goneMs) reports.set(key, report);
  }
  const own = `${reportKey}${replica}`;
  if (view === null) reports.delete(own);
  else reports.set(own, { hash: view.hash, seen: view.seen ?? '0', at: now });
  const told = Object.fromEntries([...reports].map(([key, { hash, seen, at }]) => [key, `${hash} ${seen} ${new Date(at).toISOString()}`]));
  const lines = Object.fromEntries(Object.entries(before).filter(([key]) => !key.startsWith(reportKey)));
  const late = view !== null && [...reports.values()].some(({ seen }) => newerVersion(seen, view.seen ?? '0'));
  // A replica that has not seen the newest edit must not overwrite the lines of one that has.
  if (view === null || late) return { data: { ...lines, ...told }, news: [], rollout: null };
  const count = `${[...reports.values()].filter(({ hash }) => hash === view.hash).length}/${reports.size}`;
  const everywhere = [...reports.values()].every(({ hash }) => hash === view.hash);
  const data: Record<string, string> = { hash: view.hash, since: new Date(view.since).toISOString(), replicas: count, ...told };
  const news: PolicyObject[] = [];
  for (const source of view.sources.slice(0, mostLines)) {
    const key = policyObjectId(source.object).replace('/', '.');
    const version = `${key}.version`;
    if (version.length > 253) continue;
    data[key] = lineOf(source, { before: before[key], count, view });
    const inForce = source.state === 'in-force' && everywhere ? source.resourceVersion : before[version];
    if (inForce !== undefined) data[version] = inForce;
    if (inForce !== undefined && inForce !== before[version]) news.push(source.object);
  }
  if (view.sources.length > mostLines) data['more'] = `${view.sources.length - mostLines} policies have no line`;
  return { data, news, rollout: { hash: view.hash, replicas: count, everywhere } };
}

function lineOf(
  { state, resourceVersion, problems }: StatusSource,
  { before, count, view }: { readonly before: string | undefined; readonly count: string; readonly view: PolicyView },
): string {
  const begin = `${state} version ${resourceVersion} policy ${view.hash}`;
  // While the state is unchanged, its start time is kept.
  const since = before?.startsWith(`${begin} `) === true ? / since (\S+)/.exec(before)?.[1] : undefined;
  const first = state === 'in-force' ? undefined : problems.find(({ level }) => level === 'error');
  const problem = first === undefined ? '' : `: ${first.file.replace(/^.*#/, '')}:${first.line} ${first.message}. ${first.fix}`;
  return `${begin} since ${since ?? new Date(view.since).toISOString()} replicas ${count}${problem.slice(0, problemLength)}`;
}

function readReport(text: string): Report | null {
  const [hash, seen, time] = text.split(' ');
  const at = Date.parse(time ?? '');
  return hash === undefined || seen === undefined || Number.isNaN(at) ? null : { hash, seen, at };
}
