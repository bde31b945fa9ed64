import type { PassReason, UsageUnknown } from '../apis/types.ts';
import type { Cost } from '../catalog/types.ts';
import type { CheckFault } from '../grades/checks.ts';
import type { FallbackTrigger, IgnoredClaim, TargetRef } from '../policy/types.ts';
import type { SessionFacts } from '../sessions/types.ts';
import type { DecisionReason, Disqualification } from './types.ts';

/** Why a request got its model. */
export const reasons: Readonly<Record<DecisionReason, string>> = {
  tier: 'the decision table chose the cheapest model of the tier that can do the job',
  override: 'an override of the policy matched',
  rule: 'a rule of the policy matched',
  sensitivity: 'the prompt matched a sensitivity pattern, so only the secure model may see it',
  pinned: 'the policy pins the requested model',
  'kept-tier-not-routed': 'the policy does not route this tier',
  'kept-cheapest': 'no model of the tier is cheaper than the requested one',
  'kept-no-candidate': 'no candidate can do the job',
  'kept-unknown-model': 'the catalog does not know the requested model, and the policy keeps such models',
  'kept-operation': 'only generation is routed by tier',
  'kept-by-rule': 'a rule of the policy keeps the requested model',
  learned: 'the learned router expects the cheaper model to do as well, within the promised loss',
  models: 'of several models it costs least for what its expected quality is worth',
  'kept-models': 'of several models none is expected to be good enough for what it saves',
  experiment: 'an experiment forces it for its share of the requests',
  'kept-session': 'an earlier turn of the conversation needed the stronger model',
  'kept-upgraded': 'an answer to a request like this one got a low grade, so the requested model stays for a while',
  'kept-learned': 'grades or the learned router say that the requested model is needed',
  default: "no candidate qualified, so the policy's default answered",
  'cooling-down': 'the chosen model rests after failures, so its first fallback takes its place',
  budget: 'a budget is nearly used up, so a cheaper tier answers',
  'over-budget': 'a budget is used up',
  'over-limit': 'a rate limit is reached',
  'route-off': 'the caller keeps its model (x-sluice-route: off), which no block, secure model, budget or rate limit forbids',
  shadow: 'the section is in shadow mode: nothing is changed',
  blocked: 'the policy refuses this request',
};

/** Why a candidate cannot take a request. */
export const faults: Readonly<Record<Disqualification, string>> = {
  'unknown-model': 'the catalog does not know it',
  'context-window': 'its context window is too small or not stated',
  'max-output': 'it cannot answer at the asked length',
  vision: 'it reads no images',
  tools: 'it calls no tools',
  'json-object': 'it has no JSON mode',
  'json-schema': 'it follows no JSON schema',
  'audio-input': 'it hears no audio',
  'audio-output': 'it speaks no audio',
  files: 'it reads no files',
  reasoning: 'it takes no reasoning setting',
  parameter: 'it refuses a parameter of the request',
  mode: 'this API cannot call it',
  'provider-not-allowed': 'the policy does not allow its provider here',
  dialect: 'its provider speaks another API',
  'not-translatable': 'its API has no place for something in this request',
  'cooling-down': 'it rests after failures',
  'over-budget': 'its budget is used up',
  'over-limit': 'its rate limit is reached',
  'no-credential': 'the gateway has no key for its provider',
  'not-in-envoy': 'Envoy has not taken its provider from the new policy yet',
  'costlier-than-requested': 'it costs more than the requested model',
  'unknown-price': 'its price, or the one to compare with, is unknown',
};

/** Why nothing was decided. */
export const passReasons: Readonly<Record<PassReason, string>> = {
  'unknown-path': 'its path is no call that Sluice knows',
  'unknown-provider': 'its host and path are of no provider that the policy knows',
  method: 'its method only reads',
  'not-json': 'its body is no JSON',
  'encoded-body': 'its body is compressed in a way that Sluice does not read',
  upgrade: 'it opens a WebSocket',
  'too-large': 'its body is larger than Sluice reads',
  'no-body': 'it has no body',
  'invalid-json': 'its body is broken JSON',
  'too-deep': 'its body is nested too deep',
  'no-model': 'it names no model',
  'model-unreadable': 'its model cannot be read',
  'not-rewritable': 'its model cannot be changed',
  'route-off': 'the caller keeps its model (x-sluice-route: off)',
  'policy-off': 'the policy is off for it',
  draining: 'Sluice was stopping',
  overload: 'Sluice was busy',
  memory: "Envoy's memory had no room for its body",
  unread: 'its body was not read',
  unmasked: 'what is sensitive in it could not be masked',
  'no-gateway-key': 'the gateway has no key for its provider',
  'ambiguous-provider': 'two providers fit its host and path',
  'internal-error': 'Sluice failed',
};

/** Why the tokens of an answer are unknown. */
export const usageReasons: Readonly<Record<UsageUnknown, string>> = {
  'not-observed': 'the answer was not read',
  'not-sent': 'the provider sent no usage',
  'stream-not-asked': 'the app did not ask the stream for it',
  cut: 'the answer was cut off',
  'too-large': 'the answer was larger than Sluice reads',
  unreadable: 'the answer cannot be read',
  partial: 'only parts of it could be read',
  encoded: 'the answer is compressed in a way that Sluice does not read',
  'error-status': 'the answer is an error',
  dialect: "the answer is not of its API's form",
};

const unknowns: Readonly<Record<string, string>> = {
  model: 'the catalog does not know the model',
  price: 'the catalog lacks a price that is needed',
  usage: 'the token usage is unknown',
  attempt: 'a failed attempt may have cost something',
  beyond: 'more than its tokens is billed, or something that is not known was counted',
};

/** Why a claim of the caller does not count. */
export const ignoredWhy: Readonly<Record<IgnoredClaim['why'], string>> = {
  doubled: 'its header came twice',
  untrusted: 'the policy does not believe this caller',
};

/** Why an attempt ended without an answer. */
export const triggers: Readonly<Record<FallbackTrigger, string>> = {
  connect: 'no connection could be made',
  reset: 'the connection was cut',
  timeout: 'no answer came in time',
  'server-error': 'the provider failed',
  'rate-limit': 'a rate limit of the provider was reached',
  overloaded: 'the provider is overloaded',
  'model-gone': 'the provider does not know the model',
  'key-dead': 'the provider refused the key',
  'context-window': 'the request is too long for the model',
  'content-filter': "the provider's content filter stopped it",
  refusal: 'the model refused',
  empty: 'the answer was empty',
  length: 'the answer was cut off at the token limit',
  'invalid-json': 'the answer was not the JSON that was asked for',
  'bad-tool-call': 'a tool call had arguments that are no JSON',
  'stream-error': 'the stream began with an error',
  'unsupported-parameter': 'the model refused a parameter of the request',
};

/** What named a conversation. */
export const namedBy: Readonly<Record<SessionFacts['source'], string>> = {
  header: 'a header',
  body: 'the body',
  opening: 'its first message',
};

/** What is wrong with an answer's form. */
export const faultsOfAnswers: Readonly<Record<CheckFault, string>> = {
  refusal: 'the model refuses',
  'content-filter': 'a content filter stopped it',
  length: 'it is cut off at the token limit',
  empty: 'it is empty',
  'bad-tool-call': 'a tool call has arguments that are no JSON',
  'invalid-json': 'it is not the JSON that was asked for',
};

/** A target as people write it. */
export function target({ provider, model }: TargetRef): string {
  return `${provider}/${model}`;
}

/** Eight decimals: a short prompt on a small model costs millionths of a dollar. */
export function money(cost: Cost): string {
  if (!cost.known)
    return `${cost.atLeastUsd === undefined ? 'unknown' : `at least $${cost.atLeastUsd}`}: ${unknowns[cost.reason] ?? cost.reason}`;
  return `${cost.usd < 0 ? '-' : ''}$${Math.abs(cost.usd).toFixed(8)}`;
}

/** Milliseconds in words. */
export function ms(value: number | null): string {
  return value === null ? 'not seen' : `${value.toFixed(1)} ms`;
}
