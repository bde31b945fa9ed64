/** Writes the chart's values.yaml, values.schema.json, and docs/helm-values.md, from their tables. */
import { writeFileSync } from 'node:fs';
import { valuesPage, valuesSchema, valuesYaml } from '../src/kubernetes/chart/files.ts';

writeFileSync(new URL('../helm/sluice/values.yaml', import.meta.url), valuesYaml());
writeFileSync(new URL('../helm/sluice/values.schema.json', import.meta.url), valuesSchema());
writeFileSync(new URL('../docs/helm-values.md', import.meta.url), valuesPage());
