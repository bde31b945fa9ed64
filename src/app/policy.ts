import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { openCatalog } from '../catalog/live.ts';
import type { Fleet } from '../experiments/fleet.ts';
import { RolloutPolicies } from '../experiments/policies.ts';
import type { KubernetesPolicyOptions, KubernetesPolicyStore } from '../kubernetes/policy-store.ts';
import type { ConfigMapRollouts } from '../kubernetes/shared-rollouts.ts';
import { PolicyHistory } from '../policy/history.ts';
import { HttpPolicyStore } from '../policy/http-store.ts';
import { KeptPolicy } from '../policy/kept.ts';
import { PairPolicyStore } from '../policy/pair-store.ts';
import { defaultPolicyFile } from '../policy/source.ts';
import { FilePolicyStore } from '../policy/store.ts';
import type { LivePolicyStore, PolicySnapshot } from '../policy/types.ts';
import { Metrics } from '../record/metrics.ts';
import type { Ground } from './ground.ts';
import type { SluiceOptions } from './options.ts';
import { isEmbedded } from './self-check.ts';
import { restartsSoFar } from './supervised.ts';

/** The active policy, its source, and the metrics, which use its names as labels. */
export interface PolicyParts {
  readonly policy: RolloutPolicies;
  readonly metrics: Metrics;
  readonly history: PolicyHistory;
  readonly configMaps: KubernetesPolicyStore | null;
  /** Since when a policy kept from an earlier run has been active; null if it is not. */
  readonly keptSince: () => string | null;
  /** False until it is known whether there is a policy: before that, requests could be sent where the policy would not send them. */
  readonly known: () => boolean;
  /** Set once there is a fleet. */
  readonly told: { fleet: Fleet | null };
}

interface Shared extends Pick<KubernetesPolicyOptions, 'catalog' | 'onRuleError' | 'onSourceError'> {
  /** The store that keeps a source's last good policy for the next start; null if it is not kept. */
  readonly keptAs: (source: string) => KeptPolicy | null;
}

interface Sources {
  readonly configMaps: KubernetesPolicyStore | null;
  readonly whole: HttpPolicyStore | null;
  readonly pairs: PairPolicyStore | null;
  readonly base: LivePolicyStore & { readonly keptSince: string | null };
  /** The reader of a source closes it. */
  readonly held: { by: Pick<LivePolicyStore, 'close'> };
}

/** Opens the catalog and the policy's sources, and follows both. */
export async function openPolicy(ground: Ground): Promise<PolicyParts> {
  const { options, version, logger, stack } = ground;
  const failedRules = new Set<string>();
  const prices = await openCatalog({
    file: options.catalog,
    source: options.catalogSource,
    intervalMs: options.catalogIntervalMs,
    onChange: (catalog) => policy.setCatalog(catalog),
    onReport: ({ added, removed, changed, held }) =>
      logger.info({ added: added.length, removed: removed.length, changed, held }, 'price list imported'),
    onError: (err) => logger.error({ err }, 'price catalog not updated; the last good one stays'),
  });
  stack.defer(() => prices.close());
  const common = sharedOf(ground, prices.catalog, failedRules);
  // Read before the policies: a policy that the others do not know yet is then newer than all that they know.
  const rollouts = await openRollouts(ground);
  const sources = await openSources(ground, common);
  const { base, pairs, configMaps } = sources;
  const sourceKnown = (): boolean => (configMaps ?? sources.whole)?.known ?? true;
  const told: PolicyParts['told'] = { fleet: null };
  const metrics = new Metrics({
    version,
    policy: () => policy.current(),
    refused: () => policy.lastRefusal() !== null,
    restarts: restartsSoFar(),
  });
  const policy: RolloutPolicies = new RolloutPolicies({
    source: pairs ?? base,
    known: sourceKnown,
    listed: () => configMaps?.listed ?? true,
    catalog: prices.catalog,
    file: options.state,
    shared: rollouts,
    onRuleError: common.onRuleError,
    onChange: (change) => {
      const { event, policy: hash, share, cause } = change;
      told.fleet?.tell(change);
      metrics.rolloutEvent(event, cause);
      logger.info({ event, policy: hash, share, cause }, 'rollout');
    },
    onError: (err) => logger.error({ err, file: options.state }, 'the state of rollouts cannot be kept'),
  });
  sources.held.by = policy;
  sayChanges(policy, options, logger, failedRules);
  watchSources(sources, metrics, logger);
  sayEmbedded(options, metrics, logger);
  const history = new PolicyHistory();
  history.add(policy.current());
  policy.onChange((generation) => history.add(generation));
  const first = policy.current().number;
  return {
    policy,
    metrics,
    history,
    configMaps,
    keptSince: () => (policy.current().number === first ? base.keptSince : null),
    // A policy of an earlier run comes with the state of that run.
    known: () => sourceKnown() && (rollouts === null || rollouts.known || base.keptSince !== null),
    told,
  };
}

function sharedOf({ options, logger }: Ground, catalog: Shared['catalog'], failedRules: Set<string>): Shared {
  return {
    catalog,
    onRuleError: (rule, err) => {
      // Once per rule and generation: a failing rule fails on every request.
      if (failedRules.has(rule)) return;
      failedRules.add(rule);
      logger.warn({ rule, err }, 'a rule failed while it was evaluated; it counts as no match');
    },
    onSourceError: (what, failure) => logger.error({ failure }, what),
    keptAs: (source) =>
      options.policyKept === null
        ? null
        : new KeptPolicy(options.policyKept, source, (err) =>
            logger.warn({ err, file: options.policyKept }, 'the policy in force could not be kept for the next start'),
          ),
  };
}

async function openSources({ options, logger, stack }: Ground, { keptAs, ...shared }: Shared): Promise<Sources> {
  const { policyConfigMaps: maps, policyUrl: url, policy: path } = options;
  const configMaps =
    maps === null
      ? null
      : await openConfigMaps(maps, { ...shared, kept: keptAs(`configmaps ${maps.namespaces.join(',')} ${maps.labelSelector}`) });
  const whole = url === null || url.pairs ? null : await HttpPolicyStore.open({ ...url, ...shared, kept: keptAs(`url ${url.url}`) });
  const base =
    configMaps ??
    whole ??
    new FilePolicyStore({
      path: path ?? fileURLToPath(defaultPolicyFile),
      watch: path !== null,
      ...shared,
      kept: path === null ? null : keptAs(`path ${path}`),
    });
  const held: Sources['held'] = { by: base };
  stack.defer(() => held.by.close());
  if (base.keptSince !== null)
    logger.error(
      { keptSince: base.keptSince, hash: base.current().hash, problems: base.lastRefusal()?.problems ?? [] },
      'the policy cannot be read: the last good one of an earlier run is in force',
    );
  const pairs = url?.pairs === true ? new PairPolicyStore({ ...url, base, ...shared }) : null;
  if (pairs !== null) held.by = pairs;
  return { configMaps, whole, pairs, base, held };
}

/** What replicas agree on. The Kubernetes client is loaded only when it is used. */
async function openRollouts({ options, logger, stack }: Ground): Promise<ConfigMapRollouts | null> {
  const at = options.policyConfigMaps?.rollouts ?? null;
  if (at === null) return null;
  const [{ ConfigMapRollouts }, { loadKubeConfig }] = await Promise.all([
    import('../kubernetes/shared-rollouts.ts'),
    import('../kubernetes/client.ts'),
  ]);
  const rollouts = await ConfigMapRollouts.open({
    ...at,
    config: loadKubeConfig(),
    onError: (failure) =>
      logger.error({ failure, configMap: `${at.namespace}/${at.name}` }, 'what replicas agree on cannot be read or written: tried again'),
  });
  stack.defer(() => rollouts.close());
  return rollouts;
}

function sayChanges(policy: RolloutPolicies, options: SluiceOptions, logger: Logger, failedRules: Set<string>): void {
  const sayMaskKey = ({ hasMasks }: PolicySnapshot): void => {
    if (hasMasks && options.maskKey === null)
      logger.warn('the policy masks data and there is no --mask-key: tokens change with each start and differ between replicas');
  };
  sayMaskKey(policy.current());
  policy.onChange(sayMaskKey);
  policy.onChange(() => failedRules.clear());
  policy.onChange(({ number, hash }) => logger.info({ generation: number, hash }, 'policy changed'));
  policy.onRefusal((problems) => logger.error({ problems }, 'policy edit refused; the last good one stays'));
}

function watchSources({ configMaps, whole, pairs }: Sources, metrics: Metrics, logger: Logger): void {
  if (configMaps !== null) metrics.watchPolicySources(configMaps);
  watchNoPolicy(configMaps ?? whole, metrics, logger);
  const connections = [configMaps, whole, pairs].filter((source) => source !== null);
  if (connections.length > 0) metrics.watchPolicyConnection(() => connections.every(({ connected }) => connected));
}

/** Logs if the embedded policy is used, which only reports what it would do. */
function sayEmbedded(options: SluiceOptions, metrics: Metrics, logger: Logger): void {
  const embedded = isEmbedded(options);
  metrics.watchEmbeddedPolicy(embedded);
  if (embedded)
    logger.warn(
      'no policy was given: the one that comes with Sluice decides in shadow mode. Every request goes where its app sent it; records say what would have been done. Start with --policy FILE',
    );
}

/** Logs when a source has no policy at all, at the start and later. */
function watchNoPolicy(store: KubernetesPolicyStore | HttpPolicyStore | null, metrics: Metrics, logger: Logger): void {
  if (store === null) return;
  metrics.watchNoPolicy(() => store.none);
  let told = false;
  const say = (): void => {
    if (store.none && !told) logger.warn('there is no policy: requests pass as their apps sent them');
    told = store.none;
  };
  say();
  store.onChange(say);
}

/** The Kubernetes client takes about 90 MB and half a second, so it is loaded only when used. */
async function openConfigMaps(
  from: NonNullable<SluiceOptions['policyConfigMaps']>,
  shared: Pick<KubernetesPolicyOptions, 'catalog' | 'onRuleError' | 'onSourceError' | 'kept'>,
): Promise<KubernetesPolicyStore> {
  const [{ KubernetesPolicyStore }, { loadKubeConfig }] = await Promise.all([
    import('../kubernetes/policy-store.ts'),
    import('../kubernetes/client.ts'),
  ]);
  const config = loadKubeConfig();
  const trusted = from.trusted ?? [from.namespaces[0] ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default'];
  const status = from.status === null ? null : { ...from.status, replica: hostname() };
  const { namespaces, labelSelector, llmPolicies } = from;
  return KubernetesPolicyStore.open({ config, namespaces, trusted, labelSelector, llmPolicies, status, ...shared });
}
