/** One graph: its title, unit as Grafana calls it, and queries with their legends. */
export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly kind?: 'stat';
  readonly queries: readonly (readonly [expr: string, legend: string])[];
}

const by = '$__rate_interval';
const scope = 'namespace=~"$namespace"';
const rate = (metric: string, labels: string): string => `sum by (${labels}) (rate(${metric}{${scope}}[${by}]))`;
const total = (metric: string): string => `sum(increase(${metric}{${scope}}[$__range]))`;
const quantile = (share: number, metric: string): string => `histogram_quantile(${share}, sum by (le) (rate(${metric}_bucket{${scope}}[${by}])))`;

/** The panels of the dashboard, in the order in which they are read. */
export const panels: readonly Panel[] = [
  { title: 'Saved', unit: 'currencyUSD', kind: 'stat', queries: [[`${total('llm_proxy_savings_total')} - ${total('llm_proxy_extra_cost_total')}`, 'net']] },
  { title: 'Cost', unit: 'currencyUSD', kind: 'stat', queries: [[total('llm_proxy_cost_total'), 'known']] },
  { title: 'Requests', unit: 'short', kind: 'stat', queries: [[total('llm_proxy_request_total'), 'all']] },
  { title: 'Undecided because Sluice failed', unit: 'short', kind: 'stat', queries: [[total('llm_proxy_fail_open_total'), 'all']] },
  { title: 'Requests by served model', unit: 'reqps', queries: [[rate('llm_proxy_request_total', 'model'), '{{model}}']] },
  { title: 'Requests by tier', unit: 'reqps', queries: [[rate('llm_proxy_request_total', 'tier'), '{{tier}}']] },
  { title: 'Requests by outcome', unit: 'reqps', queries: [[rate('llm_proxy_request_total', 'outcome'), '{{outcome}}']] },
  { title: 'Cost by served model, a second', unit: 'currencyUSD', queries: [[rate('llm_proxy_cost_total', 'model'), '{{model}}']] },
  { title: 'Cost by workspace, a second', unit: 'currencyUSD', queries: [[rate('llm_proxy_workspace_cost_total', 'workspace'), '{{workspace}}']] },
  { title: 'Cost or usage unknown', unit: 'reqps', queries: [[rate('llm_proxy_cost_unknown_total', 'reason'), 'cost: {{reason}}'], [rate('llm_proxy_usage_unknown_total', 'reason'), 'usage: {{reason}}']] },
  { title: 'Time to the end of the answer', unit: 's', queries: [[quantile(0.5, 'llm_proxy_latency_seconds'), 'p50'], [quantile(0.95, 'llm_proxy_latency_seconds'), 'p95']] },
  { title: "Sluice's own time", unit: 's', queries: [[quantile(0.5, 'llm_proxy_overhead_seconds'), 'p50'], [quantile(0.99, 'llm_proxy_overhead_seconds'), 'p99']] },
  { title: 'Passed untouched', unit: 'reqps', queries: [[rate('llm_proxy_passthrough_total', 'reason'), '{{reason}}']] },
  { title: 'ConfigMaps of the policy', unit: 'short', queries: [[`max by (state) (llm_proxy_policy_configmaps{${scope}})`, '{{state}}']] },
];

/** helm/sluice/files/dashboard.json: a Grafana dashboard with a choice of data source and namespace. */
export function dashboard(): string {
  const datasource = { type: 'prometheus', uid: '${datasource}' };
  const statistics = panels.filter(({ kind }) => kind === 'stat').length;
  return `${JSON.stringify(
    {
      title: 'Sluice',
      uid: 'sluice-llm-egress',
      tags: ['sluice', 'llm'],
      timezone: 'browser',
      schemaVersion: 41,
      refresh: '30s',
      time: { from: 'now-6h', to: 'now' },
      templating: {
        list: [
          { name: 'datasource', type: 'datasource', query: 'prometheus' },
          { name: 'namespace', type: 'query', datasource, query: 'label_values(llm_proxy_build_info, namespace)', multi: true, includeAll: true, allValue: '.*', current: { text: 'All', value: '$__all' }, refresh: 2 },
        ],
      },
      panels: panels.map(({ title, unit, kind, queries }, index) => ({
        id: index + 1,
        title,
        type: kind ?? 'timeseries',
        datasource,
        gridPos: kind === 'stat' ? { x: index * 6, y: 0, w: 6, h: 4 } : { x: ((index - statistics) % 2) * 12, y: 4 + Math.floor((index - statistics) / 2) * 8, w: 12, h: 8 },
        fieldConfig: { defaults: { unit }, overrides: [] },
        targets: queries.map(([expr, legendFormat], at) => ({ refId: String.fromCharCode(65 + at), datasource, expr, legendFormat })),
      })),
    },
    null,
    2,
  )}\n`;
}
