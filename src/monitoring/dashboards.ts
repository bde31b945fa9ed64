/** One graph: its title, its Grafana unit, and queries with their legends. */
interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly kind?: 'stat';
  /** Empty unless Sluice uses this feature. */
  readonly only?: 'kubernetes' | 'redis' | 'spans';
  readonly queries: readonly (readonly [expr: string, legend: string])[];
}

export interface Dashboard {
  /** File name without its extension; also the end of the uid. */
  readonly name: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

const by = '$__rate_interval';
const scope = 'namespace=~"$namespace"';
const rate = (metric: string, labels: string, more = ''): string => `sum by (${labels}) (rate(${metric}{${scope}${more}}[${by}]))`;
const whole = (metric: string, more = ''): string => `sum(rate(${metric}{${scope}${more}}[${by}]))`;
const total = (metric: string): string => `sum(increase(${metric}{${scope}}[$__range]))`;
const quantile = (share: number, metric: string, labels = ''): string =>
  `histogram_quantile(${share}, sum by (le${labels}) (rate(${metric}_bucket{${scope}}[${by}])))`;
const most = (metric: string, labels: string): string => `max by (${labels}) (${metric}{${scope}})`;
/**
 * 0 if there is no series: a counter that was never incremented has none. In brackets because `or` binds less than any arithmetic around
 * it.
 */
const orNone = (expr: string): string => `((${expr}) or vector(0))`;
/** The same by label: 0 where `there` has a series and `expr` has none. */
const orNoneOf = (expr: string, there: string): string => `(${expr} or 0 * ${there})`;
/** Parts of a whole that add up to 100%. */
const shares = (metric: string, label: string): string => `${rate(metric, label)} / on() group_left() ${whole(metric)}`;
/** Errors by label as a share of all, 0 where there are none. */
const errorShare = (errors: string, all: string, label: string): string =>
  `${orNoneOf(rate(errors, label), rate(all, label))} / (${rate(all, label)} > 0)`;
/** Savings minus extra costs; a label that has only one of them has a line too. */
const net = (label: string): string => {
  const [saved, extra] = [rate('llm_proxy_savings_total', label), rate('llm_proxy_extra_cost_total', label)];
  return `${orNoneOf(saved, extra)} - ${orNoneOf(extra, saved)}`;
};
const netWhole = `${orNone(whole('llm_proxy_savings_total'))} - ${orNone(whole('llm_proxy_extra_cost_total'))}`;

const costAndRouting: Dashboard = {
  name: 'sluice',
  title: 'Sluice: cost and routing',
  panels: [
    {
      title: 'Saved',
      unit: 'currencyUSD',
      kind: 'stat',
      queries: [[`${orNone(total('llm_proxy_savings_total'))} - ${orNone(total('llm_proxy_extra_cost_total'))}`, 'net']],
    },
    { title: 'Cost', unit: 'currencyUSD', kind: 'stat', queries: [[total('llm_proxy_cost_total'), 'known']] },
    { title: 'Requests', unit: 'short', kind: 'stat', queries: [[total('llm_proxy_request_total'), 'all']] },
    {
      title: 'Requests of unknown cost',
      unit: 'percentunit',
      kind: 'stat',
      queries: [[`${orNone(total('llm_proxy_cost_unknown_total'))} / ${total('llm_proxy_request_total')}`, 'share']],
    },
    {
      title: 'Cost of a request',
      unit: 'currencyUSD',
      // The difference is exactly the savings: an unknown baseline counts as no saving.
      queries: [
        [`${whole('llm_proxy_cost_total')} / ${whole('llm_proxy_priced_request_total')}`, 'as it was served'],
        [`(${whole('llm_proxy_cost_total')} + ${netWhole}) / ${whole('llm_proxy_priced_request_total')}`, 'as it was asked for'],
      ],
    },
    {
      title: 'Cost of a request by served model',
      unit: 'currencyUSD',
      queries: [[`${rate('llm_proxy_cost_total', 'model')} / (${rate('llm_proxy_priced_request_total', 'model')} > 0)`, '{{model}}']],
    },
    { title: 'Saved by requested model, a second', unit: 'currencyUSD', queries: [[net('model'), '{{model}}']] },
    { title: 'Cost by served model, a second', unit: 'currencyUSD', queries: [[rate('llm_proxy_cost_total', 'model'), '{{model}}']] },
    {
      title: 'Cost by workspace, a second',
      unit: 'currencyUSD',
      queries: [[rate('llm_proxy_workspace_cost_total', 'workspace'), '{{workspace}}']],
    },
    { title: 'Requests by served model', unit: 'reqps', queries: [[rate('llm_proxy_request_total', 'model'), '{{model}}']] },
    {
      title: 'Share of requests by served model',
      unit: 'percentunit',
      queries: [[shares('llm_proxy_request_total', 'model'), '{{model}}']],
    },
    { title: 'Share of requests by tier', unit: 'percentunit', queries: [[shares('llm_proxy_request_total', 'tier'), '{{tier}}']] },
    {
      title: 'Why requests went where they went, share',
      unit: 'percentunit',
      queries: [[shares('llm_proxy_request_total', 'reason'), '{{reason}}']],
    },
    {
      title: 'Grades of answers, mean by served model',
      unit: 'percentunit',
      queries: [[`${rate('llm_proxy_grade_score_total', 'model')} / (${rate('llm_proxy_grade_total', 'model')} > 0)`, '{{model}}']],
    },
    { title: 'Requests by workspace', unit: 'reqps', queries: [[rate('llm_proxy_workspace_request_total', 'workspace'), '{{workspace}}']] },
    {
      title: 'Tokens, a second',
      unit: 'short',
      queries: [
        [whole('llm_proxy_token_count_input_total'), 'in'],
        [whole('llm_proxy_token_count_output_total'), 'out'],
        [orNone(whole('llm_proxy_token_count_cached_read_total')), "in, from the provider's cache"],
      ],
    },
    { title: 'Cache', unit: 'reqps', queries: [[rate('llm_proxy_cache_total', 'result'), '{{result}}']] },
    {
      title: 'Saved by the cache, a second',
      unit: 'currencyUSD',
      queries: [[whole('llm_proxy_cache_saved_dollars_total'), 'requested models, same usage']],
    },
    {
      title: 'Cost or usage unknown',
      unit: 'reqps',
      queries: [
        [rate('llm_proxy_cost_unknown_total', 'reason'), 'cost: {{reason}}'],
        [rate('llm_proxy_usage_unknown_total', 'reason'), 'usage: {{reason}}'],
      ],
    },
    { title: 'Budgets: how much is used', unit: 'percentunit', queries: [[most('llm_proxy_budget_used_ratio', 'budget'), '{{budget}}']] },
    {
      title: 'Budgets: requests moved and refused',
      unit: 'reqps',
      queries: [[rate('llm_proxy_budget_actions_total', 'budget, action'), '{{budget}}: {{action}}']],
    },
    {
      title: 'Rate limits: how much is used',
      unit: 'percentunit',
      queries: [[most('llm_proxy_limit_used_ratio', 'limit, kind'), '{{limit}}: {{kind}}']],
    },
    {
      title: 'Rate limits: requests refused, and beyond it',
      unit: 'reqps',
      queries: [[rate('llm_proxy_limit_actions_total', 'limit, kind, action'), '{{limit}}, {{kind}}: {{action}}']],
    },
  ],
};

const operations: Dashboard = {
  name: 'sluice-operations',
  title: 'Sluice: operations',
  panels: [
    {
      title: 'Undecided because Sluice failed',
      unit: 'short',
      kind: 'stat',
      queries: [[orNone(total('llm_proxy_fail_open_total')), 'all']],
    },
    {
      title: 'Requests without a whole answer',
      unit: 'percentunit',
      kind: 'stat',
      queries: [[`${orNone(total('llm_proxy_unanswered_total'))} / ${total('llm_proxy_request_total')}`, 'share']],
    },
    {
      title: "Sluice's own time, p99",
      unit: 's',
      kind: 'stat',
      queries: [[`histogram_quantile(0.99, sum by (le) (increase(llm_proxy_overhead_seconds_bucket{${scope}}[$__range])))`, 'p99']],
    },
    { title: 'Policy refused', unit: 'short', kind: 'stat', queries: [[`max(llm_proxy_policy_refused{${scope}})`, 'now']] },
    { title: 'Requests by outcome', unit: 'reqps', queries: [[rate('llm_proxy_request_total', 'outcome'), '{{outcome}}']] },
    {
      title: 'Error budget of the answers (99.9%) in use, by window',
      unit: 'percentunit',
      queries: ['5m', '1h', '6h', '3d'].map(
        (window) => [`max(sluice:slo_errors:ratio_rate${window}{slo="answers", ${scope}}) / 0.001`, window] as const,
      ),
    },
    {
      title: "Failed attempts by provider, share of the provider's",
      unit: 'percentunit',
      queries: [[errorShare('llm_proxy_attempt_failure_total', 'llm_proxy_attempt_total', 'provider'), '{{provider}}']],
    },
    {
      title: 'Failed attempts by reason',
      unit: 'reqps',
      queries: [[rate('llm_proxy_attempt_failure_total', 'provider, reason'), '{{provider}}: {{reason}}']],
    },
    {
      title: 'Fallbacks',
      unit: 'reqps',
      queries: [[rate('llm_proxy_fallback_total', 'from, to, reason'), '{{from}} → {{to}}: {{reason}}']],
    },
    {
      title: 'Requests that needed a fallback, share of their tier',
      unit: 'percentunit',
      queries: [[errorShare('llm_proxy_retried_total', 'llm_proxy_request_total', 'tier'), '{{tier}}']],
    },
    {
      title: 'Chains that were tried in vain',
      unit: 'reqps',
      queries: [[rate('llm_proxy_fallback_exhausted_total', 'tier, reason'), '{{tier}}: {{reason}}']],
    },
    {
      title: 'Targets that rest',
      unit: 'short',
      queries: [[most('llm_proxy_target_cooling', 'provider, model'), '{{provider}}/{{model}}']],
    },
    {
      title: 'Time to the end of the answer',
      unit: 's',
      queries: [
        [quantile(0.5, 'llm_proxy_latency_seconds'), 'p50'],
        [quantile(0.95, 'llm_proxy_latency_seconds'), 'p95'],
        [quantile(0.99, 'llm_proxy_latency_seconds'), 'p99'],
      ],
    },
    {
      title: 'Time to the first token of a stream, p95',
      unit: 's',
      queries: [[quantile(0.95, 'llm_proxy_time_to_first_token_seconds', ', model'), '{{model}}']],
    },
    {
      title: "Sluice's own time",
      unit: 's',
      queries: [
        [quantile(0.5, 'llm_proxy_overhead_seconds'), 'p50'],
        [quantile(0.99, 'llm_proxy_overhead_seconds'), 'p99'],
      ],
    },
    { title: 'Exchanges on their way', unit: 'short', queries: [[`sum(llm_proxy_pending_exchanges{${scope}})`, 'answer not begun']] },
    {
      title: 'Grades of answers, mean by tier',
      unit: 'percentunit',
      queries: [[`${rate('llm_proxy_grade_score_total', 'tier')} / (${rate('llm_proxy_grade_total', 'tier')} > 0)`, '{{tier}}']],
    },
    { title: 'Passed untouched', unit: 'reqps', queries: [[rate('llm_proxy_passthrough_total', 'reason'), '{{reason}}']] },
    { title: "Unexpected turns of Envoy's protocol", unit: 'reqps', queries: [[orNone(whole('llm_proxy_protocol_events_total')), 'all']] },
    {
      title: 'Age of the policy in force',
      unit: 's',
      queries: [[`max(time() - llm_proxy_policy_loaded_timestamp_seconds{${scope}})`, 'oldest replica']],
    },
    {
      title: 'ConfigMaps of the policy',
      unit: 'short',
      only: 'kubernetes',
      queries: [[most('llm_proxy_policy_configmaps', 'state'), '{{state}}']],
    },
    {
      title: 'Versions and price lists in force',
      unit: 'short',
      queries: [
        [`count by (version) (llm_proxy_build_info{${scope}})`, 'Sluice {{version}}'],
        [`count by (version, date) (llm_proxy_catalog_info{${scope}})`, 'prices {{date}} ({{version}})'],
      ],
    },
    {
      title: 'Ledger',
      unit: 'short',
      queries: [
        [rate('llm_proxy_ledger_records_total', 'result'), '{{result}}, a second'],
        [`sum(llm_proxy_ledger_waiting_records{${scope}})`, 'waiting'],
      ],
    },
    { title: 'Cache in memory', unit: 'bytes', queries: [[`sum(llm_proxy_cache_bytes{${scope}})`, 'all replicas']] },
    {
      title: 'Redis: what it did not answer',
      unit: 'reqps',
      only: 'redis',
      queries: [
        [rate('llm_proxy_cache_backend_problem_total', 'kind'), 'cache: {{kind}}'],
        [rate('llm_proxy_budget_backend_problem_total', 'kind'), 'budgets: {{kind}}'],
      ],
    },
    { title: 'Spans', unit: 'short', only: 'spans', queries: [[rate('llm_proxy_spans_total', 'result'), '{{result}}, a second']] },
    {
      title: 'Budgets: messages to webhooks',
      unit: 'short',
      queries: [[rate('llm_proxy_budget_messages_total', 'budget, result'), '{{budget}}: {{result}}, a second']],
    },
  ],
};

export const dashboards: readonly Dashboard[] = [costAndRouting, operations];

const datasource = { type: 'prometheus', uid: '${datasource}' };

/** The first `statistics` panels are single figures in a row; the graphs follow, two in a row. */
function panelJson({ title, unit, kind, queries }: Panel, index: number, statistics: number): object {
  const place = index - statistics;
  return {
    id: index + 1,
    title,
    type: kind ?? 'timeseries',
    datasource,
    gridPos: kind === 'stat' ? { x: index * 6, y: 0, w: 6, h: 4 } : { x: (place % 2) * 12, y: 4 + Math.floor(place / 2) * 8, w: 12, h: 8 },
    fieldConfig: { defaults: { unit }, overrides: [] },
    // A figure for the whole range is queried once, at its end.
    ...(kind === 'stat' ? { options: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false } } } : {}),
    targets: queries.map(([expr, legendFormat], at) => ({
      refId: String.fromCharCode(65 + at),
      datasource,
      expr,
      legendFormat,
      instant: kind === 'stat',
      range: kind !== 'stat',
    })),
  };
}

/** A Grafana dashboard with selectors for data source and namespace, as JSON. */
export function dashboardJson({ name, title, panels }: Dashboard): string {
  const statistics = panels.filter(({ kind }) => kind === 'stat').length;
  return `${JSON.stringify(
    {
      title,
      uid: name === 'sluice' ? 'sluice-llm-egress' : name,
      tags: ['sluice', 'llm'],
      timezone: 'browser',
      schemaVersion: 41,
      refresh: '30s',
      time: { from: 'now-6h', to: 'now' },
      links: [
        {
          title: 'Sluice',
          type: 'dashboards',
          tags: ['sluice'],
          icon: 'external link',
          tooltip: '',
          asDropdown: false,
          keepTime: true,
          includeVars: true,
          targetBlank: false,
        },
      ],
      templating: {
        list: [
          { name: 'datasource', type: 'datasource', query: 'prometheus' },
          {
            name: 'namespace',
            type: 'query',
            datasource,
            query: 'label_values(llm_proxy_build_info, namespace)',
            multi: true,
            includeAll: true,
            allValue: '.*',
            current: { text: 'All', value: '$__all' },
            refresh: 2,
          },
        ],
      },
      panels: panels.map((panel, index) => panelJson(panel, index, statistics)),
    },
    null,
    2,
  )}\n`;
}
