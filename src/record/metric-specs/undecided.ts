import type { MetricSpecs } from './spec.ts';

/** Of requests that went on undecided, were refused, or were changed on the way. */
export const undecidedSpecs = {
  passthrough: {
    name: 'llm_proxy_passthrough_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Requests that went on as the app sent them, without a decision.',
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
  answerSources: {
    name: 'llm_proxy_answer_source_total',
    type: 'counter',
    labels: ['envoy', 'source'],
    help: 'Requests that went on to a provider, by how their Envoy reports answers and what this one is read from: `copies`, `collected`, `protocol-manager` or `inline`.',
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
  shaped: {
    name: 'llm_proxy_shape_total',
    type: 'counter',
    labels: ['part', 'result'],
    help: "Parameters that the policy's shape capped (`changed`) or left alone: `not-taken` by a model that may answer, `no-place` in the API, `not-said` by the app.",
  },
  shapeSavings: {
    name: 'llm_proxy_shape_savings_dollars_total',
    type: 'counter',
    labels: ['model', 'provider'],
    help: "US dollars that the policy's shape is reckoned to have saved; in no other sum.",
  },
} as const satisfies MetricSpecs;
