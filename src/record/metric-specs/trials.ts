import type { MetricSpecs } from './spec.ts';

/** Of experiments, rollouts and shadow mode. */
export const trialsSpecs = {
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
} as const satisfies MetricSpecs;
