import type { MetricSpecs } from './spec.ts';

const seconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300];
const fineSeconds = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1];

/** Of exchanges: what was served, what it cost, its tokens and its time. */
export const exchangesSpecs = {
  requests: {
    name: 'llm_proxy_request_total',
    type: 'counter',
    labels: ['model', 'provider', 'api', 'tier', 'reason', 'cache_hit', 'outcome'],
    help: 'Exchanges that ended, by the model that was served.',
  },
  routes: {
    name: 'llm_proxy_route_total',
    type: 'counter',
    labels: ['tier', 'reason', 'requested_model', 'served_model'],
    help: 'Decisions: what was asked for and what was served.',
  },
  cost: {
    name: 'llm_proxy_cost_total',
    type: 'counter',
    labels: ['model', 'provider'],
    help: 'US dollars, of the exchanges whose cost is known.',
  },
  priced: {
    name: 'llm_proxy_priced_request_total',
    type: 'counter',
    labels: ['model', 'provider'],
    help: 'Exchanges whose cost is known; llm_proxy_cost_total over this is the cost of a request.',
  },
  costUnknown: {
    name: 'llm_proxy_cost_unknown_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Exchanges whose cost is unknown: the model, its price or the usage is.',
  },
  baselineCost: {
    name: 'llm_proxy_baseline_cost_total',
    type: 'counter',
    labels: ['model', 'provider'],
    help: 'US dollars that the requested model would have cost for the same usage, where cost and baseline are known.',
  },
  savings: {
    name: 'llm_proxy_savings_total',
    type: 'counter',
    labels: ['model', 'provider'],
    help: 'US dollars saved where the served model was cheaper, by requested model. Net savings: minus llm_proxy_extra_cost_total.',
  },
  extraCost: {
    name: 'llm_proxy_extra_cost_total',
    type: 'counter',
    labels: ['model', 'provider'],
    help: 'US dollars spent on top where the served model was costlier, by requested model.',
  },
  inputTokens: {
    name: 'llm_proxy_token_count_input_total',
    type: 'counter',
    labels: ['model'],
    help: 'Input tokens of all classes, cached ones included.',
  },
  outputTokens: {
    name: 'llm_proxy_token_count_output_total',
    type: 'counter',
    labels: ['model'],
    help: 'Output tokens of all classes, reasoning included.',
  },
  cachedTokens: {
    name: 'llm_proxy_token_count_cached_read_total',
    type: 'counter',
    labels: ['model'],
    help: "Input tokens read from the provider's prompt cache.",
  },
  cacheWriteTokens: {
    name: 'llm_proxy_token_count_cache_write_total',
    type: 'counter',
    labels: ['model'],
    help: "Input tokens written to the provider's prompt cache.",
  },
  reasoningTokens: { name: 'llm_proxy_token_count_reasoning_total', type: 'counter', labels: ['model'], help: 'Reasoning tokens.' },
  usageUnknown: {
    name: 'llm_proxy_usage_unknown_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Exchanges whose token usage is unknown, and why.',
  },
  latency: {
    name: 'llm_proxy_latency_seconds',
    type: 'histogram',
    labels: ['model', 'provider'],
    help: "From the request's headers to the end of the answer.",
    buckets: seconds,
  },
  firstToken: {
    name: 'llm_proxy_time_to_first_token_seconds',
    type: 'histogram',
    labels: ['model', 'provider'],
    help: "From the request's headers to the first output token of a stream.",
    buckets: seconds,
  },
  overhead: {
    name: 'llm_proxy_overhead_seconds',
    type: 'histogram',
    labels: [],
    help: "Sluice's own time on the request path: scan, classify, decide, rewrite.",
    buckets: fineSeconds,
  },
  workspaceRequests: {
    name: 'llm_proxy_workspace_request_total',
    type: 'counter',
    labels: ['workspace'],
    help: 'Exchanges by workspace, of those that the policy names.',
  },
  workspaceCost: {
    name: 'llm_proxy_workspace_cost_total',
    type: 'counter',
    labels: ['workspace'],
    help: 'US dollars by workspace, of the exchanges whose cost is known.',
  },
  pending: {
    name: 'llm_proxy_pending_exchanges',
    type: 'gauge',
    labels: [],
    help: 'Decided exchanges of whose answer nothing has come yet.',
  },
} as const satisfies MetricSpecs;
