import type { MetricSpecs } from './spec.ts';

/** Of budgets and rate limits. */
export const budgetsSpecs = {
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
} as const satisfies MetricSpecs;
