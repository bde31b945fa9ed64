import { stringify } from 'yaml';

export interface Alert {
  readonly name: string;
  /** page: somebody must look now; warning: today; info: when there is time. */
  readonly severity: 'page' | 'warning' | 'info';
  readonly expr: string;
  readonly for?: string;
  /** Label beside the severity: distinguishes alerts with the same name. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
}

interface Recording {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

interface Group {
  readonly name: string;
  readonly interval?: string;
  readonly rules: readonly (Alert | Recording)[];
}

const perNamespace = (expr: string): string => `sum by (namespace) (${expr})`;
const rate = (metric: string, window: string, labels = ''): string => perNamespace(`rate(${metric}${labels}[${window}])`);
/** A counter that was never incremented has no series: it counts as 0 if `present` exists. */
const orNone = (expr: string, present: string): string => `(${expr} or 0 * ${present})`;

/**
 * How often an error event happened, by its labels. A counter that was never incremented has no series, so `increase` misses its first
 * increment: a series that did not exist one window ago has grown from 0.
 */
const happened = (metric: string, window: string, by = 'namespace', labels = ''): string =>
  `sum by (${by}) ((${metric}${labels} unless last_over_time(${metric}${labels}[${window}] offset ${window})) or increase(${metric}${labels}[${window}]))`;

/** The target of each SLO: 99.9% over 30 days. */
const allowed = 0.001;

/** Error events and all events of each objective; docs/runbooks.md defines them under SluiceErrorBudgetBurn. */
const objectives: readonly {
  readonly slo: string;
  readonly errors: (window: string) => string;
  readonly all: (window: string) => string;
}[] = [
  {
    slo: 'answers',
    errors: (window) => rate('llm_proxy_unanswered_total', window),
    all: (window) => rate('llm_proxy_request_total', window),
  },
  {
    slo: 'decisions',
    errors: (window) => rate('llm_proxy_fail_open_total', window),
    all: (window) => rate('llm_proxy_request_total', window),
  },
  {
    slo: 'overhead',
    errors: (window) =>
      `(${rate('llm_proxy_overhead_seconds_count', window)} - ${rate('llm_proxy_overhead_seconds_bucket', window, '{le="0.025"}')})`,
    all: (window) => rate('llm_proxy_overhead_seconds_count', window),
  },
];

/**
 * Alerts fast enough for somebody who watches an outage: 99.6% or less alerts within ten minutes, and clears as fast. At least ten errors:
 * one of a hundred requests in a night does not count.
 */
const fast = { factor: 4, long: '10m', short: '5m', for: '1m', slos: ['answers', 'decisions'], errors: 10 } as const;

/** Pairs of windows by burn rate of the month's error budget: both must be above it, so that an alert fires and clears quickly. */
const burns = [
  { factor: 14.4, long: '1h', short: '5m', for: '2m', severity: 'page' },
  { factor: 6, long: '6h', short: '30m', for: '15m', severity: 'page' },
  { factor: 3, long: '1d', short: '2h', for: '1h', severity: 'warning' },
  { factor: 1, long: '3d', short: '6h', for: '3h', severity: 'warning' },
] as const;

const windows = [...new Set([fast, ...burns].flatMap(({ long, short }) => [short, long]))];
const ratioName = (window: string): string => `sluice:slo_errors:ratio_rate${window}`;

const sloRecordings: Recording[] = objectives.flatMap(({ slo, errors, all }) =>
  windows.map((window) => ({
    record: ratioName(window),
    labels: { slo },
    expr: `${orNone(errors(window), all(window))} / (${all(window)} > 0)`,
  })),
);

const errorCounts: Recording[] = objectives
  .filter(({ slo }) => (fast.slos as readonly string[]).includes(slo))
  .map(({ slo, errors }) => ({ record: `sluice:slo_errors:rate${fast.long}`, labels: { slo }, expr: errors(fast.long) }));

const recordings: Recording[] = [
  { record: 'sluice:cost_dollars:rate5m', expr: rate('llm_proxy_cost_total', '5m') },
  { record: 'sluice:priced_requests:rate5m', expr: rate('llm_proxy_priced_request_total', '5m') },
  {
    record: 'sluice:latency_seconds:p99_30m',
    expr: 'histogram_quantile(0.99, sum by (namespace, le) (rate(llm_proxy_latency_seconds_bucket[30m])))',
  },
  {
    record: 'sluice:grade:mean_1d',
    expr: 'sum by (namespace, tier) (increase(llm_proxy_grade_score_total[1d])) / (sum by (namespace, tier) (increase(llm_proxy_grade_total[1d])) > 0)',
  },
];

export const alerts: readonly Alert[] = [
  {
    name: 'SluiceCostPerRequestUp',
    severity: 'warning',
    // Half an hour against the week before it: a step is reported within the hour. Needs a day of history (the offset) and two requests a
    // minute: fewer requests are not conclusive.
    expr: `avg_over_time(sluice:cost_dollars:rate5m[30m]) / (avg_over_time(sluice:priced_requests:rate5m[30m]) > 1 / 30) > 1.2 * avg_over_time(sluice:cost_dollars:rate5m[7d] offset 1h) / avg_over_time(sluice:priced_requests:rate5m[7d] offset 1h) and sluice:cost_dollars:rate5m offset 1d`,
    for: '15m',
    summary: 'A request costs a fifth more than over the last week.',
  },
  {
    name: 'SluiceSmallAnswersWorse',
    severity: 'warning',
    expr: `sluice:grade:mean_1d{tier="simple"} < 0.95 * avg_over_time(sluice:grade:mean_1d{tier="simple"}[7d] offset 1d) and sum by (namespace, tier) (increase(llm_proxy_grade_total{tier="simple"}[1d])) >= 30`,
    for: '1h',
    summary: 'Answers to prompts that were called simple got grades 5% below those of the week before.',
  },
  {
    name: 'SluiceFallbackRateHigh',
    severity: 'warning',
    expr: `sum by (namespace, tier) (rate(llm_proxy_retried_total[15m])) / (sum by (namespace, tier) (rate(llm_proxy_request_total[15m])) > 1 / 60) > 0.1`,
    for: '10m',
    summary: 'More than one in ten requests of tier {{ $labels.tier }} needed another target than the first.',
  },
  {
    name: 'SluiceFailOpen',
    severity: 'warning',
    expr: `${happened('llm_proxy_fail_open_total', '10m', 'namespace, reason')} > 0`,
    summary: 'Requests went on undecided because Sluice failed ({{ $labels.reason }}).',
  },
  {
    name: 'SluiceAbsent',
    severity: 'page',
    expr: 'absent(llm_proxy_build_info)',
    for: '5m',
    summary: 'No Sluice is scraped: Envoy lets requests pass undecided, or refuses them where the policy is fail-closed.',
  },
  {
    name: 'SluiceBypassed',
    severity: 'page',
    expr: `${happened('envoy_http_ext_proc_sluice_request_failure_mode_allowed', '10m')} > 0`,
    summary: 'Envoy let requests pass because Sluice did not answer it.',
  },
  {
    name: 'SluicePolicyRefused',
    severity: 'warning',
    expr: 'max by (namespace) (llm_proxy_policy_refused) == 1',
    for: '5m',
    summary: 'The newest edit of a policy is refused and the last good one holds.',
  },
  {
    name: 'SluiceNoPolicy',
    severity: 'warning',
    expr: 'max by (namespace) (llm_proxy_policy_none) == 1',
    for: '5m',
    summary: 'There is no policy: requests pass as their apps sent them.',
  },
  {
    name: 'SluiceKeyMissing',
    severity: 'warning',
    expr: 'max by (namespace) (llm_proxy_gateway_key_files_missing) > 0',
    for: '5m',
    summary: 'The policy names a key file that holds no key.',
  },
  {
    name: 'SluicePolicySourceLost',
    severity: 'warning',
    expr: 'min by (namespace) (llm_proxy_policy_source_connected) == 0',
    for: '5m',
    summary: 'Policies cannot be watched; edits do not reach Sluice.',
  },
  {
    name: 'SluiceCatalogsDiffer',
    severity: 'info',
    expr: 'count by (namespace) (count by (namespace, version) (llm_proxy_catalog_info)) > 1',
    for: '30m',
    summary: 'Replicas price requests by different catalogs.',
  },
  {
    name: 'SluiceParameterRefused',
    severity: 'warning',
    expr: `${happened('llm_proxy_fallback_total', '30m', 'namespace, from', '{reason="unsupported-parameter"}')} > 0`,
    summary: '{{ $labels.from }} refused a parameter that Sluice took it to know; the requested model answered.',
  },
  {
    name: 'SluiceCostUnknown',
    severity: 'info',
    expr: `${rate('llm_proxy_cost_unknown_total', '30m')} > 0.05 * ${rate('llm_proxy_request_total', '30m')}`,
    for: '30m',
    summary: 'More than 5% of the requests have no known cost.',
  },
  {
    name: 'SluiceBudgetBurn',
    severity: 'warning',
    // By now a third more than the proportional share is spent, and enough of the period is over to tell.
    expr: 'max by (namespace, budget) (llm_proxy_budget_used_ratio) > 1.33 * max by (namespace, budget) (llm_proxy_budget_period_elapsed_ratio) and max by (namespace, budget) (llm_proxy_budget_used_ratio) > 0.25',
    for: '15m',
    summary: 'Budget {{ $labels.budget }} will be used up well before its period ends.',
  },
  {
    name: 'SluiceBudgetUsedUp',
    severity: 'warning',
    expr: `${happened('llm_proxy_budget_actions_total', '10m', 'namespace, budget', '{action="refused"}')} > 0`,
    summary: 'Budget {{ $labels.budget }} is used up: requests are refused.',
  },
  {
    name: 'SluiceRateLimited',
    severity: 'info',
    expr: `${happened('llm_proxy_limit_actions_total', '10m', 'namespace, limit', '{action="refused"}')} > 0`,
    for: '10m',
    summary: 'Rate limit {{ $labels.limit }} has refused requests for ten minutes.',
  },
  {
    name: 'SluiceBudgetsUncounted',
    severity: 'warning',
    expr: `${happened('llm_proxy_budget_backend_problem_total', '10m')} > 0`,
    for: '5m',
    summary: 'The Redis behind budgets and rate limits does not answer: requests go on, and both may be overrun.',
  },
  {
    name: 'SluiceBudgetMessagesLost',
    severity: 'info',
    expr: `${happened('llm_proxy_budget_messages_total', '1h', 'namespace, budget', '{result!="sent"}')} > 0`,
    summary: 'A webhook did not take messages about budget {{ $labels.budget }}.',
  },
  {
    name: 'SluiceProviderDown',
    severity: 'page',
    expr: 'sum by (namespace, provider) (rate(llm_proxy_attempt_failure_total{reason=~"connect|reset|timeout|server-error|overloaded|cut|stream-error"}[5m])) / (sum by (namespace, provider) (rate(llm_proxy_attempt_total[5m])) > 1 / 60) > 0.5',
    for: '3m',
    summary: 'More than half of the attempts at {{ $labels.provider }} fail.',
  },
  {
    name: 'SluiceKeyDead',
    severity: 'page',
    expr: `${happened('llm_proxy_attempt_failure_total', '10m', 'namespace, provider', '{reason="key-dead"}')} > 0`,
    summary: 'The key for {{ $labels.provider }} is refused.',
  },
  {
    name: 'SluiceLatencyDoubled',
    severity: 'warning',
    expr: 'sluice:latency_seconds:p99_30m > 2 * avg_over_time(sluice:latency_seconds:p99_30m[7d] offset 1h) and sluice:latency_seconds:p99_30m offset 1d',
    for: '15m',
    summary: 'The slowest one in a hundred answers take twice as long as over the last week.',
  },
  {
    name: 'SluiceSlow',
    severity: 'warning',
    expr: 'histogram_quantile(0.99, sum by (namespace, le) (rate(llm_proxy_overhead_seconds_bucket[10m]))) > 0.025',
    for: '10m',
    summary: "Sluice's own time on the request path is above 25 ms for one request in a hundred.",
  },
  {
    name: 'SluiceLedgerLosing',
    severity: 'warning',
    expr: `${happened('llm_proxy_ledger_records_total', '10m', 'namespace', '{result="dropped"}')} > 0 or ${happened('llm_proxy_ledger_failures_total', '10m')} > 3`,
    summary: 'Records do not reach the ledger.',
  },
  {
    name: 'SluiceCertificateEnding',
    severity: 'warning',
    expr: `min by (namespace, certificate) (llm_proxy_certificate_end_seconds) - time() < 7 * 86400`,
    for: '10m',
    summary: 'A certificate ends within a week and was not renewed ({{ $labels.certificate }}).',
  },
  {
    name: 'SluiceRestarting',
    severity: 'warning',
    expr: `sum by (namespace) (increase(llm_proxy_process_restart_total[15m])) >= 1`,
    summary: 'Sluice ended by itself and was started again; requests of that time went on undecided.',
  },
  {
    name: 'SluiceSpansDropped',
    severity: 'info',
    expr: `${happened('llm_proxy_spans_total', '15m', 'namespace', '{result="dropped"}')} > 0`,
    for: '15m',
    summary: 'The collector does not take spans.',
  },
  {
    name: 'SluiceCacheBackendDown',
    severity: 'info',
    expr: `${happened('llm_proxy_cache_backend_problem_total', '10m')} > 0 and max by (namespace) (llm_proxy_cache_backend_up) == 0`,
    for: '5m',
    summary: 'The Redis behind the cache does not answer: replicas cache alone.',
  },
  {
    name: 'SluiceErrorBudgetBurn',
    severity: 'page',
    expr: `${ratioName(fast.long)}{slo=~"${fast.slos.join('|')}"} > ${fast.factor} * ${allowed} and ${ratioName(fast.short)} > ${fast.factor} * ${allowed} and sluice:slo_errors:rate${fast.long} * 600 >= ${fast.errors}`,
    for: fast.for,
    labels: { window: fast.long },
    summary: 'Over ten minutes fewer than 99.6% of the {{ $labels.slo }} were good; 99.9% is promised.',
  },
  ...burns.map(({ factor, long, short, for: wait, severity }): Alert => ({
    name: 'SluiceErrorBudgetBurn',
    severity,
    expr: `${ratioName(long)} > ${factor} * ${allowed} and ${ratioName(short)} > ${factor} * ${allowed}`,
    for: wait,
    labels: { window: long },
    summary: `The error budget of {{ $labels.slo }} (99.9%) goes ${factor} times as fast as it may, over ${long}.`,
  })),
];

const groups: readonly Group[] = [
  { name: 'sluice-recordings', interval: '1m', rules: [...recordings, ...sloRecordings, ...errorCounts] },
  { name: 'sluice', rules: alerts },
];

/** The address where a Sluice on this machine serves the runbooks itself. */
export const defaultRunbooks = 'http://127.0.0.1:9901/runbooks';

/** Where the runbook of an alert is: below an address by its name, or, if the address ends in #, at the page's heading. */
function runbookUrl(runbooks: string, alert: string): string {
  return runbooks.endsWith('#') ? `${runbooks}${alert.toLowerCase()}` : `${runbooks.replace(/\/+$/, '')}/${alert}`;
}

/**
 * Rules in Prometheus's format: helm/sluice/files/alerts.yaml, which the chart's PrometheusRule includes. `runbooks`: the absolute URL
 * under which the runbooks are found by an alert's name, or of docs/runbooks.md with # at its end.
 */
export function rulesYaml(runbooks: string = defaultRunbooks): string {
  const document = {
    groups: groups.map(({ name, interval, rules }) => ({
      name,
      ...(interval === undefined ? {} : { interval }),
      rules: rules.map((rule) =>
        'record' in rule
          ? rule
          : {
              alert: rule.name,
              expr: rule.expr,
              ...(rule.for === undefined ? {} : { for: rule.for }),
              labels: { severity: rule.severity, ...rule.labels },
              annotations: { summary: rule.summary, runbook_url: runbookUrl(runbooks, rule.name) },
            },
      ),
    })),
  };
  return `# Made by \`npm run build\` from src/monitoring/alerts.ts; sluice render alerts --runbooks URL makes them with other runbook URLs.\n${stringify(document, { lineWidth: 0 })}`;
}
