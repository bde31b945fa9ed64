import { reasonOf } from '../lib/errors.ts';
import { metricTable } from '../record/metric-table.ts';
import type { SavingsTotals } from '../record/recent.ts';
import { parseMetrics, sumOf } from './metrics-text.ts';

/** Sends a request to one replica's admin server, by address or through an API server. Resolves with the body of a 200, else rejects. */
export type Ask = (path: string) => Promise<string>;

/** One replica, as far as it could be reached. */
export type ReplicaStatus = { readonly name: string; readonly ready: boolean } & (
  | { readonly state: 'asked'; readonly facts: ReplicaFacts }
  /** It did not answer, so all of its figures are unknown. */
  | { readonly state: 'unknown'; readonly why: string }
);

export interface ReplicaFacts {
  readonly version: string;
  readonly policy: {
    readonly number: number;
    readonly hash: string;
    readonly resourceVersion: string | null;
    readonly ageSeconds: number;
    /** The newest edit was rejected; an older version is in force. */
    readonly refused: boolean;
    /** Its source has no policy. */
    readonly none: boolean;
    /** No policy was given: the one that ships with Sluice decides in shadow mode. */
    readonly embedded: boolean;
    readonly catalog: string;
    /** ConfigMaps whose content is not in force as written. */
    readonly notInForce: readonly string[];
  };
  readonly exchanges: number;
  readonly failOpen: number;
  /** Key files named by the policy that contain no key. */
  readonly keysMissing: number;
  readonly fallbacks: number;
  readonly exhausted: number;
  /** `provider/model` of targets in cooldown. */
  readonly cooling: readonly string[];
  /** Since the replica started. */
  readonly savings: Omit<SavingsTotals, 'exchanges'>;
  /** Number of answers by how Envoys report them and by the source they were read from. */
  readonly sources: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Model answers, and how many of them have unknown usage, by reason. */
  readonly usage: { readonly answers: number; readonly unknown: Readonly<Record<string, number>> };
}

interface PolicyAnswer {
  readonly number: number;
  readonly hash: string;
  readonly resourceVersion: string | null;
  readonly ageSeconds: number;
  readonly catalog: { readonly version: string };
  readonly sources: readonly { readonly id: string; readonly state: string }[];
  readonly lastRefusal: object | null;
}

/** Queries one replica. Never rejects. */
export async function replicaStatus(name: string, ready: boolean, ask: Ask): Promise<ReplicaStatus> {
  try {
    const [policyText, metricsText, savingsText] = await Promise.all([ask('/policy'), ask('/metrics'), ask('/savings')]);
    return {
      name,
      ready,
      state: 'asked',
      facts: factsOf(JSON.parse(policyText) as PolicyAnswer, metricsText, JSON.parse(savingsText) as SavingsTotals),
    };
  } catch (error) {
    return { name, ready, state: 'unknown', why: reasonOf(error) };
  }
}

function factsOf(policy: PolicyAnswer, metrics: string, savings: SavingsTotals): ReplicaFacts {
  const samples = parseMetrics(metrics);
  const sum = (spec: { readonly name: string }, holds?: Parameters<typeof sumOf>[2]): number => sumOf(samples, spec.name, holds);
  const unknown: Record<string, number> = {};
  for (const { name, labels, value } of samples)
    if (name === metricTable.usageUnknown.name && value > 0) unknown[labels['reason'] ?? ''] = value;
  const sources: Record<string, Record<string, number>> = {};
  for (const { name, labels, value } of samples) {
    const { envoy, source } = labels;
    if (name === metricTable.answerSources.name && envoy !== undefined && source !== undefined) (sources[envoy] ??= {})[source] = value;
  }
  return {
    version: samples.find(({ name }) => name === metricTable.build.name)?.labels['version'] ?? 'unknown',
    policy: {
      number: policy.number,
      hash: policy.hash,
      resourceVersion: policy.resourceVersion,
      ageSeconds: policy.ageSeconds,
      refused: policy.lastRefusal !== null,
      none: sum(metricTable.policyNone) > 0,
      embedded: sum(metricTable.policyEmbedded) > 0,
      catalog: policy.catalog.version,
      notInForce: policy.sources.filter(({ state }) => state !== 'in-force').map(({ id, state }) => `${id} (${state})`),
    },
    exchanges: sum(metricTable.requests),
    failOpen: sum(metricTable.failOpen),
    keysMissing: sum(metricTable.keyFilesMissing),
    fallbacks: sum(metricTable.fallbacks),
    exhausted: sum(metricTable.fallbackExhausted),
    cooling: samples
      .filter(({ name }) => name === metricTable.cooling.name)
      .map(({ labels }) => `${labels['provider'] ?? ''}/${labels['model'] ?? ''}`),
    savings: {
      since: savings.since,
      cost: savings.cost,
      apart: (savings as Partial<SavingsTotals>).apart ?? { usd: 0, exchanges: 0 },
      baseline: savings.baseline,
      savings: savings.savings,
      shadow: (savings as Partial<SavingsTotals>).shadow ?? { usd: 0, known: 0, unknown: 0 },
    },
    sources,
    // Cache answers and policy refusals used no tokens.
    usage: {
      answers: sum(
        metricTable.requests,
        (labels) => labels['cache_hit'] !== 'true' && labels['outcome'] !== 'blocked' && labels['outcome'] !== 'not-cached',
      ),
      unknown,
    },
  };
}
