/** Writes the dashboards and rules of deploy/, and the chart's copies of them, from their tables. */
import { writeFileSync } from 'node:fs';
import { rulesYaml } from '../src/monitoring/alerts.ts';
import { dashboardJson, dashboards } from '../src/monitoring/dashboards.ts';

const write = (path: string, text: string): void => writeFileSync(new URL(`../${path}`, import.meta.url), text);

write('deploy/prometheus/sluice.rules.yaml', rulesYaml());
write('helm/sluice/files/alerts.yaml', rulesYaml());
for (const dashboard of dashboards) {
  write(`deploy/grafana/dashboards/${dashboard.name}.json`, dashboardJson(dashboard));
  write(`helm/sluice/files/dashboards/${dashboard.name}.json`, dashboardJson(dashboard));
}
