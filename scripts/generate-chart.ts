/**
 * Writes the chart's values.yaml, values.schema.json, files/defaults.json and the table of the chart's README, from
 * their tables, and the definition in the chart of definitions.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { llmPolicyDefinition } from '../src/kubernetes/chart/definition.ts';
import { chartReadme, valuesDefaults, valuesSchema, valuesYaml } from '../src/kubernetes/chart/files.ts';

writeFileSync(new URL('../helm/sluice/values.yaml', import.meta.url), valuesYaml());
writeFileSync(new URL('../helm/sluice/values.schema.json', import.meta.url), valuesSchema());
writeFileSync(new URL('../helm/sluice/files/defaults.json', import.meta.url), valuesDefaults());
const readme = new URL('../helm/sluice/README.md', import.meta.url);
writeFileSync(readme, chartReadme(readFileSync(readme, 'utf8')));
writeFileSync(new URL('../helm/sluice-crds/templates/llmpolicies.yaml', import.meta.url), llmPolicyDefinition());
