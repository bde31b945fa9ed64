/**
 * The part of Grafana's dashboard schema that dashboards here use, from the types that Grafana publishes (@grafana/schema 13.2.3,
 * raw/dashboard).
 * `!`: required. Objects in capitals are in the table; `*` takes anything.
 */
export const grafanaSchema: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Dashboard: {
    id: 'number|null',
    uid: 'string',
    title: 'string',
    description: 'string',
    tags: 'string[]',
    timezone: 'string',
    editable: 'boolean',
    graphTooltip: 'number',
    time: 'Time',
    refresh: 'string',
    schemaVersion: 'number!',
    version: 'number',
    panels: 'Panel[]',
    templating: 'Templating',
    links: 'DashboardLink[]',
  },
  Time: { from: 'string!', to: 'string!' },
  Templating: { list: 'VariableModel[]' },
  VariableModel: {
    name: 'string!',
    type: 'query|adhoc|groupby|constant|datasource|interval|textbox|custom|system|snapshot|switch!',
    label: 'string',
    description: 'string',
    query: 'string',
    datasource: 'DataSourceRef',
    current: 'VariableOption',
    multi: 'boolean',
    includeAll: 'boolean',
    allValue: 'string',
    refresh: 'number',
    regex: 'string',
    sort: 'number',
    hide: 'number',
  },
  VariableOption: { text: 'string!', value: 'string!', selected: 'boolean' },
  DataSourceRef: { type: 'string', uid: 'string' },
  DashboardLink: {
    title: 'string!',
    type: 'link|dashboards!',
    icon: 'string!',
    tooltip: 'string!',
    url: 'string',
    tags: 'string[]!',
    asDropdown: 'boolean!',
    targetBlank: 'boolean!',
    includeVars: 'boolean!',
    keepTime: 'boolean!',
  },
  Panel: {
    type: 'string!',
    id: 'number',
    title: 'string',
    description: 'string',
    datasource: 'DataSourceRef',
    gridPos: 'GridPos',
    options: '*',
    fieldConfig: 'FieldConfigSource',
    targets: 'Target[]',
  },
  GridPos: { x: 'number!', y: 'number!', w: 'number!', h: 'number!' },
  FieldConfigSource: { defaults: 'FieldConfig!', overrides: '*!' },
  FieldConfig: { unit: 'string', min: 'number', max: 'number', decimals: 'number', noValue: 'string' },
  /** A panel's targets are the data source's own: this is Prometheus's query. */
  Target: {
    refId: 'string!',
    datasource: 'DataSourceRef',
    expr: 'string!',
    legendFormat: 'string',
    instant: 'boolean',
    range: 'boolean',
    exemplar: 'boolean',
    format: 'time_series|table|heatmap',
  },
};

/** Units that Grafana knows by these ids (@grafana/data, value formats) and that mean what the panels show. */
export const grafanaUnits: ReadonlySet<string> = new Set(['short', 'percentunit', 'currencyUSD', 'reqps', 's', 'bytes']);

/** What is wrong with a value by the table, each with its place. */
export function grafanaProblems(value: unknown, type = 'Dashboard', where = type): string[] {
  const kind = type.replace(/!$/, '');
  if (kind === '*') return [];
  if (kind.endsWith('[]'))
    return Array.isArray(value)
      ? value.flatMap((each, at) => grafanaProblems(each, kind.slice(0, -2), `${where}[${at}]`))
      : [`${where} is no list`];
  const members = grafanaSchema[kind];
  if (members === undefined) {
    const choices = kind.split('|');
    const simple = value === null ? 'null' : typeof value;
    return choices.includes(simple) || (typeof value === 'string' && choices.includes(value)) ? [] : [`${where} is no ${kind}`];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${where} is no ${kind}`];
  return [
    ...Object.entries(members)
      .filter(([name, of]) => of.endsWith('!') && !(name in value))
      .map(([name]) => `${where}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, each]) =>
      members[name] === undefined ? [`${where}.${name} is unknown`] : grafanaProblems(each, members[name], `${where}.${name}`),
    ),
  ];
}
