import { attemptsSpecs } from './metric-specs/attempts.ts';
import { budgetsSpecs } from './metric-specs/budgets.ts';
import { cacheSpecs } from './metric-specs/cache.ts';
import { exchangesSpecs } from './metric-specs/exchanges.ts';
import { genaiSpecs } from './metric-specs/genai.ts';
import { policySpecs } from './metric-specs/policy.ts';
import { processSpecs } from './metric-specs/process.ts';
import { qualitySpecs } from './metric-specs/quality.ts';
import { trialsSpecs } from './metric-specs/trials.ts';
import { undecidedSpecs } from './metric-specs/undecided.ts';
import type { MetricSpecs } from './metric-specs/spec.ts';

/** Every metric that Sluice exports. Ids, users, scores and prompts are never labels. */
export const metricTable = {
  ...exchangesSpecs,
  ...attemptsSpecs,
  ...genaiSpecs,
  ...cacheSpecs,
  ...trialsSpecs,
  ...qualitySpecs,
  ...budgetsSpecs,
  ...undecidedSpecs,
  ...processSpecs,
  ...policySpecs,
} satisfies MetricSpecs;

/** The text of docs/metrics.md. */
export function metricsPage(): string {
  const rows = Object.values(metricTable as MetricSpecs).map(
    (spec) =>
      `- \`${spec.name}\` (${spec.type}${spec.labels.length > 0 ? ` by ${spec.labels.map((label) => `\`${label}\``).join(', ')}` : ''}): ${spec.help}`,
  );
  return `<!-- Generated from src/record/metric-specs/ by \`npm run build\`. -->
# Metrics

Sluice serves these on \`/metrics\` of its admin address, in the Prometheus text format. A scraper that accepts \`application/openmetrics-text\`
gets OpenMetrics, with exemplars that lead from a bucket to a sampled trace where [spans](tracing.md) are on. The [labels](#labels) are explained at the end.

${rows.join('\n')}

## Labels

- \`model\`, \`requested_model\`, \`served_model\`: the catalog's name of a model, or the target that the policy routed to. A name that neither
  knows, and every name beyond the bound in \`src/lib/limits.ts\`, is \`other\`; \`none\` means that the request named no model.
- \`workspace\`: workspaces that the policy names; the rest is \`other\`.
- \`reason\`, \`tier\`, \`outcome\`, \`api\`: closed lists, see [decisions](decisions.md#reasons). \`none\` where nothing was decided.
- \`cache_hit\`: \`true\` where the cache answered, else \`false\`. What the cache answered counts neither tokens nor latency of a model.

An unknown cost or usage adds nothing to a sum: it is counted in \`llm_proxy_cost_unknown_total\` or \`llm_proxy_usage_unknown_total\`.
`;
}
