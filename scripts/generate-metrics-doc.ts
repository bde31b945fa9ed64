/** Writes docs/metrics.md from the metric table. */
import { writeFileSync } from 'node:fs';
import { metricsPage } from '../src/record/metric-table.ts';

writeFileSync(new URL('../docs/metrics.md', import.meta.url), metricsPage());
