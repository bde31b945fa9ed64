import type { MetricSpecs } from './spec.ts';

/** Of the policy and the catalog in force. */
export const policySpecs = {
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
} as const satisfies MetricSpecs;
