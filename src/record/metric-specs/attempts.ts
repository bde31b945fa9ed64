import type { MetricSpecs } from './spec.ts';

/** Of attempts at providers, chains, cool-downs and keys. */
export const attemptsSpecs = {
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
  cooldownSharingProblems: {
    name: 'llm_proxy_cooldown_sharing_problem_total',
    type: 'counter',
    labels: [],
    help: 'Reads and writes of shared cool-downs that failed, and failed connections; each replica then goes by its own.',
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
} as const satisfies MetricSpecs;
