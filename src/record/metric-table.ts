/** One metric, as documented for operators. docs/metrics.md is generated from this table. */
export interface MetricSpec {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  readonly buckets?: readonly number[];
}

const seconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300];
const ages = [1, 10, 60, 300, 900, 3_600, 4 * 3_600, 24 * 3_600, 7 * 24 * 3_600];
const fineSeconds = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1];

/** Buckets from OpenTelemetry's conventions for generative AI. */
const operationSeconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const tokens = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864];
const genAi = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model'] as const;

/** Every metric that Sluice exports. Ids, users, scores and prompts are never labels. */
export const metricTable = {
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
  fallbacks: {
    name: 'llm_proxy_fallback_total',
    type: 'counter',
    labels: ['from', 'to', 'reason'],
    help: 'Attempts that failed and whose chain went on with another model.',
  },
  fallbackExhausted: {
    name: 'llm_proxy_fallback_exhausted_total',
    type: 'counter',
    labels: ['tier', 'reason'],
    help: 'Chains in which no target gave an answer, by what ended the last attempt.',
  },
  retried: { name: 'llm_proxy_retried_total', type: 'counter', labels: ['tier'], help: 'Exchanges whose first target gave no answer.' },
  unanswered: {
    name: 'llm_proxy_unanswered_total',
    type: 'counter',
    labels: ['tier'],
    help: "Exchanges without a whole answer by a provider's doing: status 429 or 500 and above, no answer, or one that was cut.",
  },
  attempts: {
    name: 'llm_proxy_attempt_total',
    type: 'counter',
    labels: ['provider'],
    help: 'Attempts at providers; a chain makes several for one exchange.',
  },
  attemptFailures: {
    name: 'llm_proxy_attempt_failure_total',
    type: 'counter',
    labels: ['provider', 'reason'],
    help: "Attempts that failed by the provider's doing. `key-dead`: the gateway's own key was refused.",
  },
  cooling: {
    name: 'llm_proxy_target_cooling',
    type: 'gauge',
    labels: ['provider', 'model'],
    help: '1 while a target rests after failures, 0.5 while one request tries it; no series otherwise.',
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
  genAiInferenceDuration: {
    name: 'gen_ai_client_inference_duration_seconds',
    type: 'histogram',
    labels: [...genAi, 'error_type'],
    help: "OpenTelemetry's `gen_ai.client.inference.duration`: one call to a provider for a generated answer. `error_type` is its outcome where that is not complete, else empty.",
    buckets: operationSeconds,
  },
  genAiEmbeddingsDuration: {
    name: 'gen_ai_client_embeddings_duration_seconds',
    type: 'histogram',
    labels: [...genAi, 'error_type'],
    help: "OpenTelemetry's `gen_ai.client.embeddings.duration`: the same for embeddings.",
    buckets: operationSeconds,
  },
  genAiOperationDuration: {
    name: 'gen_ai_client_operation_duration_seconds',
    type: 'histogram',
    labels: [...genAi, 'error_type'],
    help: "OpenTelemetry's `gen_ai.client.operation.duration`: the same for all other calls, such as those that count tokens.",
    buckets: operationSeconds,
  },
  genAiFirstChunk: {
    name: 'gen_ai_client_inference_time_to_first_chunk_seconds',
    type: 'histogram',
    labels: genAi,
    help: "OpenTelemetry's `gen_ai.client.inference.time_to_first_chunk`, of streams.",
    buckets: operationSeconds,
  },
  genAiInputTokens: {
    name: 'gen_ai_client_inference_operation_input_tokens',
    type: 'histogram',
    labels: genAi,
    help: "OpenTelemetry's `gen_ai.client.inference.operation.input_tokens`: tokens of one exchange's prompt, cached ones included.",
    buckets: tokens,
  },
  genAiOutputTokens: {
    name: 'gen_ai_client_inference_operation_output_tokens',
    type: 'histogram',
    labels: genAi,
    help: "OpenTelemetry's `gen_ai.client.inference.operation.output_tokens`: tokens of one exchange's answer, reasoning included.",
    buckets: tokens,
  },
  genAiEmbeddingsTokens: {
    name: 'gen_ai_client_embeddings_operation_input_tokens',
    type: 'histogram',
    labels: genAi,
    help: "OpenTelemetry's `gen_ai.client.embeddings.operation.input_tokens`: tokens of what one exchange embedded.",
    buckets: tokens,
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
  cache: {
    name: 'llm_proxy_cache_total',
    type: 'counter',
    labels: ['result'],
    help: 'Exchanges where the policy has a cache, by what it did.',
  },
  cacheStores: {
    name: 'llm_proxy_cache_store_total',
    type: 'counter',
    labels: ['result'],
    help: 'Answers that the cache was offered: kept (`stored`), or why not.',
  },
  cacheSavedCost: {
    name: 'llm_proxy_cache_saved_dollars_total',
    type: 'counter',
    labels: [],
    help: 'US dollars that the requested models would have cost for what the cache answered.',
  },
  cacheSavedSeconds: {
    name: 'llm_proxy_cache_saved_seconds_total',
    type: 'counter',
    labels: [],
    help: 'Seconds by which answers from the cache were faster than when they were fetched.',
  },
  cacheAge: {
    name: 'llm_proxy_cache_entry_age_seconds',
    type: 'histogram',
    labels: [],
    help: 'Age of the answers that the cache served.',
    buckets: ages,
  },
  cacheEntries: { name: 'llm_proxy_cache_entries', type: 'gauge', labels: [], help: 'Answers in memory.' },
  cacheBytes: { name: 'llm_proxy_cache_bytes', type: 'gauge', labels: [], help: 'Bytes that they are counted with.' },
  cacheEvictions: {
    name: 'llm_proxy_cache_evictions',
    type: 'gauge',
    labels: [],
    help: 'Answers that left memory to make room, since the start.',
  },
  cacheBackendProblems: {
    name: 'llm_proxy_cache_backend_problem_total',
    type: 'counter',
    labels: ['kind'],
    help: 'Requests that the Redis behind the cache did not answer well.',
  },
  cooldownSharingProblems: {
    name: 'llm_proxy_cooldown_sharing_problem_total',
    type: 'counter',
    labels: [],
    help: 'Reads and writes of shared cool-downs that failed, and failed connections; each replica then goes by its own.',
  },
  cacheBackendUp: {
    name: 'llm_proxy_cache_backend_up',
    type: 'gauge',
    labels: [],
    help: '1 while the Redis behind the cache answers; 0 when it does not or there is none.',
  },
  cacheWaiting: { name: 'llm_proxy_cache_waiting', type: 'gauge', labels: [], help: 'Requests that wait for an identical one in flight.' },
  experiments: {
    name: 'llm_proxy_experiment_total',
    type: 'counter',
    labels: ['experiment', 'arm', 'outcome'],
    help: 'Exchanges in arms of experiments and of rollouts (`rollout`).',
  },
  experimentEvidence: {
    name: 'llm_proxy_experiment_evidence',
    type: 'gauge',
    labels: ['experiment', 'metric'],
    help: 'Evidence that the treatment does harm, over what would be an alarm: 1 is one.',
  },
  shadows: {
    name: 'llm_proxy_shadow_total',
    type: 'counter',
    labels: ['experiment', 'result'],
    help: 'Requests drawn for a shadow experiment: `sent`, or why not; `answered` or `lost` of those.',
  },
  rolloutShare: {
    name: 'llm_proxy_rollout_share',
    type: 'gauge',
    labels: [],
    help: 'Share of the requests that the new policy gets; 0 while none rolls out.',
  },
  rolloutEvents: {
    name: 'llm_proxy_rollout_event_total',
    type: 'counter',
    labels: ['event', 'cause'],
    help: 'Rollouts of policies: `began`, `advanced`, `promoted`, `rolled-back`, and what made one go back.',
  },
  sessions: { name: 'llm_proxy_sessions', type: 'gauge', labels: [], help: 'Conversations that are remembered.' },
  sessionTurns: {
    name: 'llm_proxy_session_turn_total',
    type: 'counter',
    labels: ['effect'],
    help: 'Turns of conversations: `raised` to the tier that an earlier one needed, `kept-for-cache` where the prompt cache made the last model the cheapest, or `none`.',
  },
  grades: {
    name: 'llm_proxy_grade_total',
    type: 'counter',
    labels: ['source', 'tier', 'model'],
    help: 'Grades of answers, by who gave them and who answered.',
  },
  gradeScores: {
    name: 'llm_proxy_grade_score_total',
    type: 'counter',
    labels: ['source', 'tier', 'model'],
    help: 'Their scores, 0 to 1 each, added up: divided by llm_proxy_grade_total it is the mean.',
  },
  feedback: {
    name: 'llm_proxy_feedback_total',
    type: 'counter',
    labels: ['source', 'result'],
    help: 'Calls of /v1/feedback: `accepted`, `unknown` (no such decision for this caller) or `invalid`.',
  },
  embedded: {
    name: 'llm_proxy_embedding_total',
    type: 'counter',
    labels: ['result'],
    help: 'Vectors of the sentence model: `cached`, `computed` while the request waited, `late`, or the model was `busy` or has `failed`.',
  },
  judged: {
    name: 'llm_proxy_judge_total',
    type: 'counter',
    labels: ['result'],
    help: 'Answers that were drawn for the judge: `graded`, or why not.',
  },
  verified: {
    name: 'llm_proxy_verify_total',
    type: 'counter',
    labels: ['result'],
    help: 'Requests verified: graded by `agreement` or by the `judge`, `unclear` where neither could say, `unreadable` where one answer is missing.',
  },
  judgeCost: {
    name: 'llm_proxy_judge_cost_total',
    type: 'counter',
    labels: [],
    help: "US dollars of the judge's calls, of those whose cost is known.",
  },
  budgetLimit: {
    name: 'llm_proxy_budget_limit_dollars',
    type: 'gauge',
    labels: ['budget'],
    help: 'What each counter of a budget may spend in its period.',
  },
  budgetSpent: {
    name: 'llm_proxy_budget_spent_dollars',
    type: 'gauge',
    labels: ['budget'],
    help: 'Spent in the present period, all counters of the budget that this process has seen.',
  },
  budgetUsed: {
    name: 'llm_proxy_budget_used_ratio',
    type: 'gauge',
    labels: ['budget'],
    help: 'The fullest counter of a budget, requests on their way included; 1 is its limit.',
  },
  budgetElapsed: {
    name: 'llm_proxy_budget_period_elapsed_ratio',
    type: 'gauge',
    labels: ['budget'],
    help: 'How much of the present period is over, 0 to 1.',
  },
  budgetCounters: {
    name: 'llm_proxy_budget_counters',
    type: 'gauge',
    labels: ['budget'],
    help: 'Counters of a budget in the present period that this process has seen.',
  },
  budgetActions: {
    name: 'llm_proxy_budget_actions_total',
    type: 'counter',
    labels: ['budget', 'action'],
    help: 'Requests that a budget moved to a `cheaper` tier or `refused`, and attempts of unknown cost that counted by the rule (`assumed`).',
  },
  limitUsed: {
    name: 'llm_proxy_limit_used_ratio',
    type: 'gauge',
    labels: ['limit', 'kind'],
    help: 'The fullest counter of a rate limit in this process, requests on their way included; 1 is the limit.',
  },
  limitActions: {
    name: 'llm_proxy_limit_actions_total',
    type: 'counter',
    labels: ['limit', 'kind', 'action'],
    help: 'Requests that a rate limit `refused`, or that were `over` it and went on (soft, or shadow mode).',
  },
  unnamedWorkspaces: {
    name: 'llm_proxy_budget_unnamed_workspaces',
    type: 'gauge',
    labels: [],
    help: 'Workspaces counted apart in this process though no policy names them and nobody vouches for them.',
  },
  sharedWorkspaces: {
    name: 'llm_proxy_budget_shared_workspace_total',
    type: 'counter',
    labels: [],
    help: 'Requests of more such workspaces, which share one budget and one limit. Somebody may be making up names.',
  },
  shaped: {
    name: 'llm_proxy_shape_total',
    type: 'counter',
    labels: ['part', 'result'],
    help: "Parameters that the policy's shape capped (`changed`) or left alone: `not-taken` by a model that may answer, `no-place` in the API, `not-said` by the app.",
  },
  shadowSavings: {
    name: 'llm_proxy_shadow_savings_dollars_total',
    type: 'counter',
    labels: ['model', 'provider'],
    help: 'US dollars that shadow mode would have saved, for the same tokens; in no other sum.',
  },
  shadowExtra: {
    name: 'llm_proxy_shadow_extra_cost_dollars_total',
    type: 'counter',
    labels: ['model', 'provider'],
    help: 'US dollars that it would have cost on top.',
  },
  shapeSavings: {
    name: 'llm_proxy_shape_savings_dollars_total',
    type: 'counter',
    labels: ['model', 'provider'],
    help: "US dollars that the policy's shape is reckoned to have saved; in no other sum.",
  },
  budgetMessages: {
    name: 'llm_proxy_budget_messages_total',
    type: 'counter',
    labels: ['budget', 'result'],
    help: 'Messages to webhooks: `sent`, `failed` after all tries, `dropped` because too many waited.',
  },
  budgetBackendProblems: {
    name: 'llm_proxy_budget_backend_problem_total',
    type: 'counter',
    labels: ['kind'],
    help: 'Requests that the Redis behind the budgets did not answer well. Requests went on; what they spent is added when it is back.',
  },
  passthrough: {
    name: 'llm_proxy_passthrough_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Requests that went on as the app sent them, without a decision.',
  },
  answerSources: {
    name: 'llm_proxy_answer_source_total',
    type: 'counter',
    labels: ['envoy', 'source'],
    help: 'Requests that went on to a provider, by how their Envoy reports answers and what this one is read from: `copies`, `collected`, `protocol-manager` or `inline`.',
  },
  keyProblems: {
    name: 'llm_proxy_gateway_key_problem_total',
    type: 'counter',
    labels: ['kind'],
    help: 'Keys of the gateway that began to rest: `limited` or `refused` by their provider, or `none` in their file. Alert on `refused` and `none`.',
  },
  keyFilesMissing: {
    name: 'llm_proxy_gateway_key_files_missing',
    type: 'gauge',
    labels: [],
    help: 'Key files of the policy that are absent, unreadable or empty here.',
  },
  egressPods: {
    name: 'llm_proxy_egress_pods_total',
    type: 'counter',
    labels: ['mode', 'result'],
    help: 'Pods that the webhooks saw: `governed`, or `skipped` as the annotation sluice.dev/egress-status says.',
  },
  certificateEnd: {
    name: 'llm_proxy_certificate_end_seconds',
    type: 'gauge',
    labels: ['certificate'],
    help: "When a certificate ends, Unix time: of the webhooks (`webhook`), of the providers' names (`egress`), of the CA that pods trust (`ca`).",
  },
  restarts: {
    name: 'llm_proxy_process_restart_total',
    type: 'counter',
    labels: [],
    help: 'How often this process of Sluice was started again after it had ended.',
  },
  claimsIgnored: {
    name: 'llm_proxy_caller_claim_ignored_total',
    type: 'counter',
    labels: ['claim', 'why'],
    help: 'Claims of callers that did not count: `untrusted` by the policy, or in a header that came twice (`doubled`).',
  },
  masked: {
    name: 'llm_proxy_masked_total',
    type: 'counter',
    labels: ['rule'],
    help: 'Matches of sensitivity patterns that were replaced by tokens, by the rule.',
  },
  refused: {
    name: 'llm_proxy_refused_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Requests refused because they could not be read or decided, under failClosed or a sensitivity pattern.',
  },
  failOpen: {
    name: 'llm_proxy_fail_open_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Requests that went on undecided because Sluice failed: `internal-error` in a decision, `session-error` in the protocol around it. Alert on any.',
  },
  protocolEvents: {
    name: 'llm_proxy_protocol_events_total',
    type: 'counter',
    labels: ['kind'],
    help: 'What went wrong between Envoy and Sluice: `decode-error`, `unexpected-phase`, `partial-body`, `request-aborted` (the client left first), `gateway-error` (Sluice failed inside a stream), `too-many-bytes` (no memory for a message: its request passed undecided), `connection-cut` (it broke the rules or limits of HTTP/2), `connection-lost`. The log has the errors.',
  },
  pending: {
    name: 'llm_proxy_pending_exchanges',
    type: 'gauge',
    labels: [],
    help: 'Decided exchanges of whose answer nothing has come yet.',
  },
  spans: {
    name: 'llm_proxy_spans_total',
    type: 'counter',
    labels: ['result'],
    help: 'Spans for the collector: `exported`, or `dropped` because it was away or too slow.',
  },
  otlpRecords: {
    name: 'llm_proxy_otlp_records_total',
    type: 'counter',
    labels: ['result'],
    help: 'The same for records (`--records otlp`).',
  },
  logDropped: {
    name: 'llm_proxy_log_dropped_lines_total',
    type: 'counter',
    labels: [],
    help: 'Lines of the log that could not be written: a full disk, a reader that does not read, a closed pipe.',
  },
  ledgerRecords: {
    name: 'llm_proxy_ledger_records_total',
    type: 'counter',
    labels: ['result'],
    help: 'Records for the ledger: `written` to disk, or `dropped` because more came than could be written.',
  },
  ledgerFailures: {
    name: 'llm_proxy_ledger_failures_total',
    type: 'counter',
    labels: [],
    help: 'Writes of the ledger that failed; they are tried again each second.',
  },
  ledgerWaiting: {
    name: 'llm_proxy_ledger_waiting_records',
    type: 'gauge',
    labels: [],
    help: 'Records that were handed to the ledger and are not yet on disk.',
  },
  policyGeneration: {
    name: 'llm_proxy_policy_generation',
    type: 'gauge',
    labels: [],
    help: 'Number of the policy generation in force; counts up from 1 in a process.',
  },
  policyLoaded: {
    name: 'llm_proxy_policy_loaded_timestamp_seconds',
    type: 'gauge',
    labels: [],
    help: 'Unix time at which the generation in force was loaded.',
  },
  policyRefused: { name: 'llm_proxy_policy_refused', type: 'gauge', labels: [], help: '1 while the newest edit of the policy is refused.' },
  policyNone: {
    name: 'llm_proxy_policy_none',
    type: 'gauge',
    labels: [],
    help: '1 while the source has no policy: requests pass as sent. Only with --policy-configmaps and --policy-url.',
  },
  policyEmbedded: {
    name: 'llm_proxy_policy_embedded',
    type: 'gauge',
    labels: [],
    help: '1 while no policy is given: the one that comes with Sluice decides in shadow mode.',
  },
  policyConfigMaps: {
    name: 'llm_proxy_policy_configmaps',
    type: 'gauge',
    labels: ['state'],
    help: 'ConfigMaps of the policy: in-force, last-good (the newest edit is refused) or left-out. Only with --policy-configmaps.',
  },
  policyConnected: {
    name: 'llm_proxy_policy_source_connected',
    type: 'gauge',
    labels: [],
    help: "1 while the policy's ConfigMaps are being watched, or the backend of --policy-url can be read. Only with these.",
  },
  catalog: {
    name: 'llm_proxy_catalog_info',
    type: 'gauge',
    labels: ['version', 'date'],
    help: 'Always 1; the price catalog in force is in the labels.',
  },
  build: { name: 'llm_proxy_build_info', type: 'gauge', labels: ['version', 'node'], help: 'Always 1; the versions are in the labels.' },
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** The text of docs/metrics.md. */
export function metricsPage(): string {
  const rows = Object.values(metricTable as Readonly<Record<string, MetricSpec>>).map(
    (spec) =>
      `- \`${spec.name}\` (${spec.type}${spec.labels.length > 0 ? ` by ${spec.labels.map((label) => `\`${label}\``).join(', ')}` : ''}): ${spec.help}`,
  );
  return `<!-- Generated from src/record/metric-table.ts by \`npm run build\`. -->
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
