/**
 * Writes the chart's dashboards and rules from their tables. They stand there once: an installation without the chart takes them from it.
 */
import { writeFileSync } from 'node:fs';
import { rulesYaml } from '../src/monitoring/alerts.ts';
import { dashboardJson, dashboards } from '../src/monitoring/dashboards.ts';

const write = (path: string, text: string): void => writeFileSync(new URL(`../${path}`, import.meta.url), text);

write('helm/sluice/files/alerts.yaml', rulesYaml());
for (const dashboard of dashboards) {
  write(`helm/sluice/files/dashboards/${dashboard.name}.json`, dashboardJson(dashboard));
}
