import { describe, expect, it } from 'vitest';
import { dashboardJson, dashboards } from '../src/monitoring/dashboards.ts';
import { grafanaProblems, grafanaUnits } from './support/grafana-schema.ts';
import { promtool, prometheusBinary, TestPrometheus } from './support/prometheus.ts';

/** Growth a second of counters that run for two hours, and `=`: what gauges stand at. What is not here never happened: it has no series. */
const counters: readonly (readonly [series: string, perSecond: number])[] = [
  ['llm_proxy_request_total{model="nano",tier="simple",reason="tier",outcome="complete"}', 6],
  ['llm_proxy_request_total{model="big",tier="complex",reason="tier",outcome="complete"}', 2.5],
  ['llm_proxy_request_total{model="big",tier="complex",reason="tier",outcome="provider-error"}', 0.5],
  ['llm_proxy_request_total{model="nano",tier="simple",reason="cache",outcome="complete"}', 1],
  ['llm_proxy_priced_request_total{model="nano"}', 6.5],
  ['llm_proxy_priced_request_total{model="big"}', 2.5],
  ['llm_proxy_cost_unknown_total{reason="usage"}', 1],
  ['llm_proxy_usage_unknown_total{reason="not-observed"}', 0.25],
  ['llm_proxy_cost_total{model="nano"}', 0.0065],
  ['llm_proxy_cost_total{model="big"}', 0.025],
  ['llm_proxy_savings_total{model="big"}', 0.018],
  ['llm_proxy_extra_cost_total{model="small"}', 0.002],
  ['llm_proxy_workspace_cost_total{workspace="red"}', 0.03],
  ['llm_proxy_workspace_request_total{workspace="red"}', 8],
  ['llm_proxy_token_count_input_total{model="nano"}', 900],
  ['llm_proxy_token_count_output_total{model="nano"}', 300],
  ['llm_proxy_cache_total{result="hit"}', 1],
  ['llm_proxy_cache_saved_dollars_total', 0.004],
  ['llm_proxy_budget_actions_total{budget="team",action="refused"}', 0.5],
  ['llm_proxy_limit_actions_total{limit="burst",kind="requests",action="refused"}', 0.75],
  ['llm_proxy_unanswered_total{tier="complex"}', 0.5],
  ['llm_proxy_attempt_total{provider="openai"}', 10],
  ['llm_proxy_attempt_total{provider="anthropic"}', 2],
  ['llm_proxy_attempt_failure_total{provider="openai",reason="server-error"}', 1],
  ['llm_proxy_fallback_total{from="big",to="nano",reason="server-error"}', 0.5],
  ['llm_proxy_retried_total{tier="complex"}', 0.75],
  ['llm_proxy_fallback_exhausted_total{tier="complex",reason="server-error"}', 0.25],
  ['llm_proxy_latency_seconds_bucket{le="1"}', 5],
  ['llm_proxy_latency_seconds_bucket{le="3"}', 10],
  ['llm_proxy_latency_seconds_bucket{le="+Inf"}', 10],
  ['llm_proxy_time_to_first_token_seconds_bucket{model="nano",le="1"}', 9.5],
  ['llm_proxy_time_to_first_token_seconds_bucket{model="nano",le="2"}', 10],
  ['llm_proxy_time_to_first_token_seconds_bucket{model="nano",le="+Inf"}', 10],
  ['llm_proxy_overhead_seconds_bucket{le="0.001"}', 9.9],
  ['llm_proxy_overhead_seconds_bucket{le="0.005"}', 10],
  ['llm_proxy_overhead_seconds_bucket{le="+Inf"}', 10],
  ['llm_proxy_grade_total{source="app",tier="simple",model="nano"}', 1],
  ['llm_proxy_grade_score_total{source="app",tier="simple",model="nano"}', 0.8],
  ['llm_proxy_grade_total{source="app",tier="complex",model="big"}', 0.5],
  ['llm_proxy_grade_score_total{source="app",tier="complex",model="big"}', 0.45],
  ['llm_proxy_passthrough_total{reason="unknown-api"}', 0.125],
  ['llm_proxy_ledger_records_total{result="written"}', 10],
  ['llm_proxy_ledger_records_total{result="dropped"}', 0],
  ['llm_proxy_cache_backend_problem_total{kind="down"}', 0.1],
  ['llm_proxy_budget_backend_problem_total{kind="down"}', 0.2],
  ['llm_proxy_spans_total{result="exported"}', 40],
  ['llm_proxy_budget_messages_total{budget="team",result="sent"}', 0.01],
];
const gauges: readonly (readonly [series: string, value: number])[] = [
  ['llm_proxy_budget_used_ratio{budget="team"}', 0.4],
  ['llm_proxy_limit_used_ratio{limit="burst",kind="requests"}', 0.9],
  ['llm_proxy_policy_refused', 0],
  ...(['5m', '1h', '6h', '3d'] as const).map(
    (window, at) => [`sluice:slo_errors:ratio_rate${window}{slo="answers"}`, 0.001 * (4 - at)] as const,
  ),
  ['llm_proxy_target_cooling{provider="openai",model="big"}', 1],
  ['llm_proxy_pending_exchanges', 12],
  ['llm_proxy_policy_configmaps{state="in-force"}', 3],
  ['llm_proxy_build_info{version="0.1.0",node="v24"}', 1],
  ['llm_proxy_catalog_info{version="7",date="2026-11-01"}', 1],
  ['llm_proxy_ledger_waiting_records', 5],
  ['llm_proxy_cache_bytes', 4096],
];

/** What each panel shows of it, by legend. The range is an hour: 36,000 requests, 113.4 dollars, 57.6 saved. */
const expected: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  Saved: { net: 57.6 },
  Cost: { known: 113.4 },
  Requests: { all: 36_000 },
  'Requests of unknown cost': { share: 0.1 },
  'Cost of a request': { 'as it was served': 0.0035, 'as it was asked for': 0.0475 / 9 },
  'Cost of a request by served model': { nano: 0.001, big: 0.01 },
  'Saved by requested model, a second': { big: 0.018, small: -0.002 },
  'Cost by served model, a second': { nano: 0.0065, big: 0.025 },
  'Cost by workspace, a second': { red: 0.03 },
  'Requests by served model': { nano: 7, big: 3 },
  'Share of requests by served model': { nano: 0.7, big: 0.3 },
  'Share of requests by tier': { simple: 0.7, complex: 0.3 },
  'Why requests went where they went, share': { tier: 0.9, cache: 0.1 },
  'Grades of answers, mean by served model': { nano: 0.8, big: 0.9 },
  'Requests by workspace': { red: 8 },
  'Tokens, a second': { in: 900, out: 300, "in, from the provider's cache": 0 },
  Cache: { hit: 1 },
  'Saved by the cache, a second': { 'requested models, same usage': 0.004 },
  'Cost or usage unknown': { 'cost: usage': 1, 'usage: not-observed': 0.25 },
  'Budgets: how much is used': { team: 0.4 },
  'Budgets: requests moved and refused': { 'team: refused': 0.5 },
  'Rate limits: how much is used': { 'burst: requests': 0.9 },
  'Rate limits: requests refused, and beyond it': { 'burst, requests: refused': 0.75 },
  'Undecided because Sluice failed': { all: 0 },
  'Requests without a whole answer': { share: 0.05 },
  "Sluice's own time, p99": { p99: 0.001 },
  'Policy refused': { now: 0 },
  'Requests by outcome': { complete: 9.5, 'provider-error': 0.5 },
  'Error budget of the answers (99.9%) in use, by window': { '5m': 4, '1h': 3, '6h': 2, '3d': 1 },
  "Failed attempts by provider, share of the provider's": { openai: 0.1, anthropic: 0 },
  'Failed attempts by reason': { 'openai: server-error': 1 },
  Fallbacks: { 'big → nano: server-error': 0.5 },
  'Requests that needed a fallback, share of their tier': { complex: 0.25, simple: 0 },
  'Chains that were tried in vain': { 'complex: server-error': 0.25 },
  'Targets that rest': { 'openai/big': 1 },
  'Time to the end of the answer': { p50: 1, p95: 2.8, p99: 2.96 },
  'Time to the first token of a stream, p95': { nano: 1 },
  "Sluice's own time": { p50: 0.001 * (5 / 9.9), p99: 0.001 },
  'Exchanges on their way': { 'answer not begun': 12 },
  'Grades of answers, mean by tier': { simple: 0.8, complex: 0.9 },
  'Passed untouched': { 'unknown-api': 0.125 },
  "Unexpected turns of Envoy's protocol": { all: 0 },
  'Age of the policy in force': { 'oldest replica': 600 },
  'ConfigMaps of the policy': { 'in-force': 3 },
  'Versions and price lists in force': { 'Sluice 0.1.0': 1, 'prices 2026-11-01 (7)': 1 },
  Ledger: { 'written, a second': 10, 'dropped, a second': 0, waiting: 5 },
  'Cache in memory': { 'all replicas': 4096 },
  'Redis: what it did not answer': { 'cache: down': 0.1, 'budgets: down': 0.2 },
  Spans: { 'exported, a second': 40 },
  'Budgets: messages to webhooks': { 'team: sent, a second': 0.01 },
};

const step = 15;
const span = 7_200;

/**
 * Two hours of scrapes of one Sluice in namespace `prod` that end at a moment (seconds), and of another in `test` that no panel of `prod`
 * may count.
 */
function openMetrics(end: number): string {
  const lines: string[] = [];
  const within = (series: string, namespace: string): string =>
    series.includes('{') ? series.replace('{', `{namespace="${namespace}",`) : `${series}{namespace="${namespace}"}`;
  const write = (series: string, valueAt: (seconds: number) => number): void => {
    for (let at = 0; at <= span; at += step) lines.push(`${series} ${valueAt(at)} ${end - span + at}`);
  };
  // Samples of one metric stand together.
  const all = [...counters.map((each) => [...each, true] as const), ...gauges.map((each) => [...each, false] as const)];
  for (const [series, value, grows] of all) {
    for (const [namespace, factor] of [
      ['prod', 1],
      ['test', 7],
    ] as const)
      write(within(series, namespace), (seconds) => value * factor * (grows ? seconds : 1));
  }
  write(within('llm_proxy_policy_loaded_timestamp_seconds', 'prod'), () => end - 600);
  return `${lines.join('\n')}\n# EOF\n`;
}

/** A legend as Grafana writes it. */
const legendOf = (format: string, labels: Readonly<Record<string, string>>): string =>
  format.replaceAll(/\{\{(\w+)\}\}/g, (_whole, label: string) => labels[label] ?? '');

describe('dashboards', () => {
  it('are what Grafana reads', () => {
    for (const dashboard of dashboards) {
      const json = JSON.parse(dashboardJson(dashboard)) as {
        readonly panels: readonly { readonly fieldConfig: { readonly defaults: { readonly unit: string } } }[];
      };
      expect(grafanaProblems(json), dashboard.name).toEqual([]);
      expect(json.panels.map(({ fieldConfig }) => fieldConfig.defaults.unit).filter((unit) => !grafanaUnits.has(unit))).toEqual([]);
    }
    expect(grafanaProblems({ panels: [{ title: 1, gridPos: { x: 0 }, colour: 'red' }] })).toEqual([
      'Dashboard.schemaVersion is missing',
      'Dashboard.panels[0].type is missing',
      'Dashboard.panels[0].title is no string',
      'Dashboard.panels[0].gridPos.y is missing',
      'Dashboard.panels[0].gridPos.w is missing',
      'Dashboard.panels[0].gridPos.h is missing',
      'Dashboard.panels[0].colour is unknown',
    ]);
  });

  it('has an expectation for every panel, and panels of one name only once', () => {
    const titles = dashboards.flatMap(({ panels }) => panels.map(({ title }) => title));
    expect([...titles].sort()).toEqual(Object.keys(expected).sort());
  });
});

describe.skipIf(promtool === null || prometheusBinary === null)('a real Prometheus with known scrapes', () => {
  it('gives every panel its value', async () => {
    const end = Math.floor(Date.now() / 60_000) * 60 - 3_600;
    const prometheus = new TestPrometheus();
    try {
      prometheus.backfill(openMetrics(end));
      await prometheus.start({}, '');
      const shown: Record<string, Record<string, number>> = {};
      for (const { panels } of dashboards) {
        for (const { title, queries } of panels) {
          const values = (shown[title] = {} as Record<string, number>);
          for (const [expr, legend] of queries) {
            const query = expr.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h').replaceAll('$namespace', 'prod');
            for (const { metric, value } of await prometheus.query(query, end)) values[legendOf(legend, metric)] = Number(value[1]);
          }
        }
      }
      for (const [title, values] of Object.entries(expected)) {
        expect(Object.keys(shown[title]!).sort(), title).toEqual(Object.keys(values).sort());
        for (const [legend, value] of Object.entries(values)) expect(shown[title]![legend], `${title}: ${legend}`).toBeCloseTo(value, 6);
      }
    } finally {
      await prometheus.stop();
    }
  });
});
