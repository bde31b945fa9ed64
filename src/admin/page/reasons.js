/** Why a request went where it went, in words; by the reasons of decisions and of requests that passed untouched. */
export const reasonNames = {
  tier: 'cheapest able model of the tier',
  learned: 'learned router',
  models: 'best of several candidates',
  override: 'override',
  rule: 'rule',
  sensitivity: 'sensitive: secure model only',
  pinned: 'pinned by the policy',
  experiment: 'arm of an experiment',
  budget: 'cheaper, for its budget',
  'over-budget': 'refused: budget used up',
  'over-limit': 'refused: rate limit reached',
  'kept-tier-not-routed': 'kept: tier is not routed',
  'kept-cheapest': 'kept: nothing cheaper',
  'kept-no-candidate': 'kept: no candidate is able',
  'kept-unknown-model': 'kept: model is unknown',
  'kept-operation': 'kept: no generation',
  'kept-by-rule': 'kept by a rule',
  'kept-learned': 'kept: others would lose quality',
  'kept-models': 'kept: best of several candidates',
  'kept-session': 'kept: the conversation goes on',
  'kept-upgraded': 'kept: small answers were graded badly',
  default: "the policy's default",
  'cooling-down': 'first choice rests',
  'route-off': 'the caller wants its own model',
  shadow: 'shadow mode',
  blocked: 'refused by policy',
  cache: 'from the cache',
  copy: 'a copy: its answer was graded, not served',
  judge: 'a call that graded an answer',
  none: 'from the cache, or not decided',
  'unknown-path': 'untouched: no call that is known',
  'unknown-provider': 'untouched: provider is unknown',
  method: 'untouched: it only reads',
  'not-json': 'untouched: no JSON',
  'encoded-body': 'untouched: body is compressed',
  upgrade: 'untouched: WebSocket',
  'too-large': 'untouched: body too large',
  'no-body': 'untouched: no body',
  'invalid-json': 'untouched: broken JSON',
  'too-deep': 'untouched: nested too deep',
  'no-model': 'untouched: names no model',
  'model-unreadable': 'untouched: model cannot be read',
  'not-rewritable': 'untouched: cannot be rewritten',
  'policy-off': 'untouched: switched off by policy',
  draining: 'untouched: Sluice was stopping',
  overload: 'untouched: Sluice was busy',
  memory: "no room for its body in Envoy's memory",
  unread: 'untouched: body was not read',
  unmasked: 'untouched: could not be masked',
  'no-gateway-key': 'no key of the gateway',
  'ambiguous-provider': 'untouched: two providers fit',
  'internal-error': 'untouched: Sluice failed',
};

export const reasonText = (reason) => reasonNames[reason] ?? reason;

/** How an exchange or an attempt ended. */
export const outcomeNames = {
  complete: 'complete',
  cut: 'cut off',
  'client-gone': 'the app left',
  'provider-error': 'the provider failed',
  blocked: 'refused',
  'not-cached': 'not in the cache',
  unobserved: 'answer not seen',
};

export const outcomeText = (outcome) => outcomeNames[outcome] ?? outcome;

/** Why a chain went on to its next target. */
export const triggerNames = {
  connect: 'no connection',
  reset: 'connection cut',
  timeout: 'no answer in time',
  'server-error': 'server error',
  'rate-limit': 'rate limit reached',
  overloaded: 'provider overloaded',
  'model-gone': 'model not known there',
  'key-dead': 'key refused',
  'context-window': 'too long for the model',
  'content-filter': 'stopped by a content filter',
  refusal: 'the model refused',
  empty: 'empty answer',
  length: 'cut off at the token limit',
  'invalid-json': 'not the JSON asked for',
  'bad-tool-call': 'tool call without valid JSON',
  'stream-error': 'stream began with an error',
  'unsupported-parameter': 'a parameter was refused',
};

export const triggerText = (reason) => triggerNames[reason] ?? reason;

/** How the cache answered. */
export const cacheNames = {
  hit: 'answered from the cache',
  stale: 'answered from the cache, past its time',
  coalesced: 'waited for the same request',
  semantic: 'answered: same question, other words',
  miss: 'not in the cache',
  bypass: 'passed by the cache',
  off: 'no cache for it',
};

export const cacheText = (state) => cacheNames[state] ?? state;

/** Why a candidate was not taken. */
export const faultNames = {
  'unknown-model': 'not in the catalog',
  'unknown-price': 'price is unknown',
  'context-window': 'context window too small',
  'max-output': 'answers are too short',
  vision: 'reads no images',
  tools: 'calls no tools',
  'json-object': 'has no JSON mode',
  'json-schema': 'follows no JSON schema',
  'audio-input': 'hears no audio',
  'audio-output': 'speaks no audio',
  files: 'reads no files',
  reasoning: 'takes no reasoning setting',
  parameter: 'refuses a parameter',
  mode: 'not for this kind of call',
  'provider-not-allowed': 'provider is not allowed here',
  dialect: 'provider speaks another API',
  'not-translatable': 'its API lacks a part of the request',
  'no-credential': 'no key for its provider',
  'not-in-envoy': 'Envoy does not have its provider yet',
  'cooling-down': 'rests after failures',
  'over-budget': 'its budget is used up',
  'over-limit': 'its rate limit is reached',
  'costlier-than-requested': 'costs more than the requested model',
};

export const faultText = (fault) => faultNames[fault] ?? fault;

/** Why a cost is not known. */
export const costNames = {
  model: 'model not in the catalog',
  price: 'a price is missing',
  usage: 'no token usage',
  attempt: 'a failed attempt may cost',
  beyond: 'more is billed than tokens',
};

/** Why the usage of an answer is not known. */
export const usageNames = {
  'not-observed': 'answer not read',
  'not-sent': 'provider sent none',
  'stream-not-asked': 'app did not ask for it',
  cut: 'answer was cut off',
  'too-large': 'answer too large',
  unreadable: 'answer cannot be read',
  partial: 'only in parts',
  encoded: 'answer is compressed',
  'error-status': 'no answer, an error',
  dialect: 'another API than expected',
};

export const usageText = (reason) => usageNames[reason] ?? reason;

/** How far a budget is used. */
export const budgetNames = { ok: 'within', soft: 'warned', cheaper: 'cheaper models', 'used-up': 'used up' };

/** What moved the score. A signal that a policy names ("example …", "words …", "template …") says its own name. */
export const signalNames = {
  text: 'level of the question, 1 to 5',
  embedding: 'sentence model',
  context: 'harder turns before',
  tools: 'tools',
  images: 'images',
  audio: 'sounds',
  files: 'files',
  depth: 'turns',
  toolResult: "a tool's result",
  jsonSchema: 'answer in a JSON schema',
  reasoning: 'reasoning asked for',
};

/** A signal's name and its value, where that is more than that it is there. */
export const signalText = ({ name, value }) => {
  const said = signalNames[name] ?? name;
  if (value === true) return said;
  return `${said}: ${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`;
};
