import { limits } from '../../lib/limits.ts';

/** What an error means for fallback: who else could answer. Closed list. */
export type ErrorMeaning =
  | 'context-window'
  | 'content-filter'
  | 'model-gone'
  | 'key-dead'
  | 'unsupported-parameter'
  | 'rate-limit'
  | 'overloaded'
  | 'server-error'
  | 'bad-tool-call'
  | 'invalid-json';

/** The content of an error, in any API's shape. */
export interface SaidError {
  /** Codes, types and statuses. */
  readonly codes: readonly string[];
  readonly message: string;
  /** The parameter that it names; null if none. */
  readonly param: string | null;
  /** An HTTP status that it contains as a number; null if none. */
  readonly status: number | null;
}

/** Providers' codes by meaning. From their documentation and from observed answers. */
const codes: Readonly<Record<string, ErrorMeaning>> = {
  context_length_exceeded: 'context-window',
  string_above_max_length: 'context-window',
  exceed_context_size_error: 'context-window',
  tokens_limit_reached: 'context-window',
  // Anthropic's: another provider may take a larger body.
  request_too_large: 'context-window',
  model_max_prompt_tokens_exceeded: 'context-window',
  '1261': 'context-window',
  content_filter: 'content-filter',
  content_policy_violation: 'content-filter',
  ResponsibleAIPolicyViolation: 'content-filter',
  responsible_ai_policy_violation: 'content-filter',
  invalid_prompt: 'content-filter',
  moderation_blocked: 'content-filter',
  data_inspection_failed: 'content-filter',
  DataInspectionFailed: 'content-filter',
  '1301': 'content-filter',
  InputTextSensitiveContentDetected: 'content-filter',
  OutputTextSensitiveContentDetected: 'content-filter',
  SensitiveContentDetected: 'content-filter',
  model_not_found: 'model-gone',
  DeploymentNotFound: 'model-gone',
  model_not_exist: 'model-gone',
  invalid_model: 'model-gone',
  model_decommissioned: 'model-gone',
  unsupported_model: 'model-gone',
  unknown_model: 'model-gone',
  model_not_supported: 'model-gone',
  model_not_available: 'model-gone',
  // Groq's: an administrator has not allowed the model, or not accepted its terms.
  model_permission_blocked_org: 'model-gone',
  model_permission_blocked_project: 'model-gone',
  model_terms_required: 'model-gone',
  ResourceNotFoundException: 'model-gone',
  OperationNotSupported: 'model-gone',
  '1211': 'model-gone',
  API_KEY_INVALID: 'key-dead',
  API_KEY_SERVICE_BLOCKED: 'key-dead',
  invalid_api_key: 'key-dead',
  account_deactivated: 'key-dead',
  billing_not_active: 'key-dead',
  billing_error: 'key-dead',
  authentication_error: 'key-dead',
  insufficient_balance: 'key-dead',
  billing_hard_limit_reached: 'key-dead',
  unsupported_country_region_territory: 'key-dead',
  Arrearage: 'key-dead',
  organization_restricted: 'key-dead',
  '1113': 'key-dead',
  unsupported_parameter: 'unsupported-parameter',
  unsupported_value: 'unsupported-parameter',
  unknown_parameter: 'unsupported-parameter',
  extra_forbidden: 'unsupported-parameter',
  rate_limit_error: 'rate-limit',
  rate_limit_exceeded: 'rate-limit',
  insufficient_quota: 'rate-limit',
  RESOURCE_EXHAUSTED: 'rate-limit',
  ThrottlingException: 'rate-limit',
  TooManyRequestsException: 'rate-limit',
  ServiceQuotaExceededException: 'rate-limit',
  REQUEST_LIMIT_EXCEEDED: 'rate-limit',
  'Throttling.RateQuota': 'rate-limit',
  'Throttling.AllocationQuota': 'rate-limit',
  limit_requests: 'rate-limit',
  overloaded_error: 'overloaded',
  overloaded: 'overloaded',
  UNAVAILABLE: 'overloaded',
  service_unavailable: 'overloaded',
  ServiceUnavailableException: 'overloaded',
  ModelNotReadyException: 'overloaded',
  capacity_exceeded: 'overloaded',
  api_error: 'server-error',
  server_error: 'server-error',
  internal_server_error: 'server-error',
  INTERNAL: 'server-error',
  InternalServerException: 'server-error',
  ModelErrorException: 'server-error',
  ModelStreamErrorException: 'server-error',
  ModelTimeoutException: 'server-error',
  tool_use_failed: 'bad-tool-call',
  json_validate_failed: 'invalid-json',
};

/** The same by message text, for servers without a code for it; the first match counts. */
const words: readonly (readonly [ErrorMeaning, RegExp])[] = [
  [
    'context-window',
    new RegExp(
      [
        String.raw`context.?(?:length|window|size|limit)`,
        String.raw`maximum (?:context|prompt|input|model|sequence) (?:length|size)`,
        String.raw`max(?:imum)?[_ ]?(?:input|num|sequence|model)[_ ]?(?:tokens|len(?:gth)?)`,
        String.raw`(?:prompt|input|message|context|request|request body)s?(?: tokens)?(?: \(\d+ tokens\))?,? (?:is |are |was )?too (?:long|large)`,
        String.raw`(?:prompt|input|messages?) (?:is|are|has|have) \d+ tokens, but`,
        String.raw`max(?:imum)? tokens of \d+ exceeded`,
        String.raw`exceeds? the (?:model.?s? )?context\b`,
        String.raw`\bn_ctx\b|expected maxLength`,
        String.raw`tokens? (?:length )?exceeds? (?:the )?(?:configured |maximum |model )?limit`,
        String.raw`exceeds? the model.?s (?:token|maximum)`,
        String.raw`prompt ?too ?long|conversation is too long`,
        String.raw`(?:prompt|input) token count`,
        String.raw`maximum supported sequence length`,
        String.raw`number of (?:input |prompt )?tokens.{0,20} (?:exceeds?|cannot exceed|is above)\b`,
        String.raw`(?:prompt|input)_tokens.{0,20} must be less than`,
        String.raw`total tokens.{0,40} exceeds? `,
        String.raw`too many (?:input |total )?tokens(?!,? (?:please wait|per\b))`,
        String.raw`exceed(?:s|ed)? (?:the |your )?(?:maximum|max|model)(?: maximum| number of)? (?:allowed )?(?:input |total )?(?:tokens?|length)`,
        String.raw`tokens.? \+ .?max_(?:new_)?tokens.? must be`,
        String.raw`must have less than \d+ tokens`,
        String.raw`prompt exceeds max(?:imum)? length`,
        String.raw`range of input length should be`,
        String.raw`reduce the length of (?:the|your) (?:messages|prompt|input|completion)`,
        String.raw`prompt length .{0,40}exceeds`,
        String.raw`(?:input|prompt).{0,60}longer than the (?:maximum )?model`,
        String.raw`sum of prompt length.{0,120}exceed`,
      ].join('|'),
      'i',
    ),
  ],
  [
    'key-dead',
    new RegExp(
      [
        String.raw`credit balance is too low|(?:out of|insufficient (?:account )?|doesn.t have any )(?:balance|credits?|funds)|payment required`,
        String.raw`api[ _]?key (?:not valid|expired|not found|is invalid|was reported as leaked|has (?:been revoked|been disabled|expired))`,
        String.raw`(?:invalid|incorrect|expired) (?:x-)?api[ _-]?key|invalid authentication credentials|^invalid (?:api )?token$`,
        String.raw`(?:access|security|api) token .{0,40}expired|(?:trial|subscription) (?:has )?(?:ended|expired)`,
        String.raw`enable billing|billing (?:is|has been) (?:disabled|not (?:active|enabled))|monthly spending limit`,
        String.raw`(?:account|organization|project|consumer)[^.]{0,60}(?:has been|is) (?:deactivated|suspended|disabled|restricted|not active)`,
        String.raw`reached your specified .{0,20}usage limits|account is in good standing|(?:country|region|location)[^.]{0,40}(?:is )?not supported`,
      ].join('|'),
      'i',
    ),
  ],
  // OpenAI's: the organization may not use the model, or not for streams.
  ['model-gone', /organization must be verified to (?:stream|use)/i],
  [
    'unsupported-parameter',
    /unsupported (?:parameter|value)|not supported (?:with|by|for|on) this model|does not support (?:this value|this parameter|the parameter|tool type|image|prefill|assistant message prefill|programmatic)|extra inputs are not permitted|extraneous key|unrecognized request argument|unknown (?:name|field|parameter) ["'`]|is not enabled for (?:this model|models\/)|(?:adaptive|enabled)["'`] is not supported|does not match any of the expected tags/i,
  ],
  [
    'model-gone',
    new RegExp(
      [
        String.raw`model (?:not exist|.{0,80}(?:does not exist|not found|is not (?:supported|available|deployed|servable)|(?:has been|was|is currently) (?:deprecated|retired|decommissioned|disabled)))`,
        String.raw`model .{0,120}is no longer (?:accessible|available|supported)|reached the end of its life|marked by (?:the )?provider as legacy`,
        String.raw`(?:invalid|unknown|no such|unsupported) model\b(?! param)|is not a valid model|model is (?:deprecated|not supported)|not found the model`,
        String.raw`model identifier is invalid|on-demand throughput isn.t supported|does not work with the specified model`,
        String.raw`(?:access to|use) (?:this |the )?model\b|model access denied|unable to access (?:non-serverless )?model`,
        String.raw`blocked at the (?:organization|project) level|requires terms acceptance|not enabled for this (?:workspace|organization|project|account)`,
        String.raw`failed to load model|no models? (?:is |are )?loaded`,
      ].join('|'),
      'i',
    ),
  ],
  [
    'content-filter',
    new RegExp(
      [
        String.raw`content management policy|safety system|content.?(?:policy|filter)|usage (?:policy|policies|guidelines)|content exists risk`,
        String.raw`inappropriate content|prohibited content|sensitive (?:content|information)|new_sensitive`,
        String.raw`requires moderation|flagged (?:as|for)|blocked (?:due to|by) (?:the |our )?(?:safety|guardrails?|recitation)`,
      ].join('|'),
      'i',
    ),
  ],
  [
    'overloaded',
    /\boverloaded\b|at capacity|(?:no|tier) (?:available )?capacity|\b(?:is|are|too) busy\b|no healthy upstream|model is (?:currently )?loading/i,
  ],
  [
    'rate-limit',
    /too many requests|requests? rate|rate limit (?:reached|exceeded)|exceeded .{0,20}rate limit|quota exceeded|throttled|please wait before trying again/i,
  ],
];

/** The meaning of an error, by its codes, otherwise by its message; null if it is the app's own mistake or unknown. */
export function meaningOf({ codes: said, message, param }: SaidError): ErrorMeaning | null {
  for (const code of said) {
    // A type that is used for every mistake says less than the message.
    if (Object.hasOwn(codes, code) && !vague.has(code) && !(code === tooLong && param !== null && !prompts.test(param)))
      return codes[code]!;
  }
  for (const [meaning, pattern] of words) if (pattern.test(message)) return meaning;
  const known = said.find((code) => Object.hasOwn(codes, code) && code !== tooLong);
  return known === undefined ? null : codes[known]!;
}

/** OpenAI's code for a text that is too long in any place: in a name, it is the app's mistake. */
const tooLong = 'string_above_max_length';
const prompts = /^(?:input|prompt|instructions)|content/;

/** Words of refusals that name what a model cannot do, or the most that it takes. */
const refusal =
  /(?:not|n.t|\bun|\bin)[ -]?(?:supported|compatible|available|enabled|allowed|permitted)\b|(?:does|do)(?: not|n.t) support|deprecated for|too (?:large|high|many|long)|\bat most\b|maximum (?:allowed|value|number)|is invalid\. please choose|must be verified|(?:cannot|must not) exceed|\bonly supported/i;

/**
 * Whether an error may be due to the model rather than to the request. Broader than the meanings above, so only for a model that the app
 * did not ask for: a mistake of the app's own costs one more refusal.
 */
export function mayBlameModel({ message }: SaidError): boolean {
  return refusal.test(message);
}

const vague: ReadonlySet<string> = new Set(['unsupported_value', 'api_error', 'server_error', 'INTERNAL']);

/** Reads an error body. Always returns a result, whatever the body is. */
export function readSaid(body: Buffer): SaidError {
  try {
    return saidBy(JSON.parse(body.toString('utf8')));
  } catch {
    return nothing;
  }
}

const nothing: SaidError = { codes: [], message: '', param: null, status: null };

type Fields = Readonly<Record<string, unknown>>;

/** The same for a parsed body. */
function saidBy(parsed: unknown): SaidError {
  const outer = fields(Array.isArray(parsed) ? (parsed as readonly unknown[])[0] : parsed);
  const error = errorOf(outer);
  const details = Array.isArray(error['details']) ? (error['details'] as readonly unknown[]).map((detail) => fields(detail)['reason']) : [];
  const found = [error['code'], error['type'], error['status'], outer['__type'], fields(error['innererror'])['code'], ...details].filter(
    (code) => typeof code === 'string',
  );
  const number = [error['code'], error['status']].find((value) => typeof value === 'number' && value >= 400 && value < 600);
  return {
    codes: found,
    message: messageOf(outer, error).slice(0, limits.refusalBytes),
    param: typeof error['param'] === 'string' ? error['param'] : null,
    status: (number as number | undefined) ?? null,
  };
}

/** The text of an error, and of the error that it passes on: OpenRouter's and Azure's are in other members. */
function messageOf(outer: Fields, error: Fields): string {
  const own = [typeof outer['error'] === 'string' ? outer['error'] : error['message'], outer['message'], outer['Message']].find(isText);
  if (own === undefined) return listed(outer);
  return [own, fields(error['metadata'])['raw'], error['details']].filter(isText).join(' ');
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** The error of a body: in `error`, the first of `errors`, or the body itself. */
function errorOf(outer: Fields): Fields {
  if (typeof outer['error'] === 'object' && outer['error'] !== null) return fields(outer['error']);
  return Array.isArray(outer['errors']) ? fields((outer['errors'] as readonly unknown[])[0]) : outer;
}

/** Servers built on FastAPI, such as Mistral's and vLLM's, describe the error in a list. */
function listed({ detail }: Fields): string {
  return detail === undefined ? '' : typeof detail === 'string' ? detail : JSON.stringify(detail);
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** Whether a choice of OpenAI's API failed: OpenRouter says it there. */
export function failedChoice(choice: unknown): boolean {
  const { error, finish_reason: finish } = fields(choice);
  return (typeof error === 'object' && error !== null) || finish === 'error';
}

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

/** The error in one chunk of a stream, wherever servers in OpenAI's words say it; null if it has none. */
export function errorInChunk(chunk: Fields): unknown {
  const { error, type, object, choices, candidates, message, detail, error_message: words } = chunk;
  if (isSet(error)) return error;
  if (type === 'error' || object === 'error') return chunk;
  if (Array.isArray(choices) && choices.length > 0) {
    const failed: unknown = choices.find(failedChoice);
    return failed === undefined ? null : (fields(failed)['error'] ?? {});
  }
  if (isText(words)) return { message: words, type: chunk['error_type'] };
  // Servers built on FastAPI say `detail`; OpenAI's `event: error` has its members at the top.
  const named = type === undefined || (isText(type) && type.endsWith('_error'));
  if (!named || Array.isArray(choices) || candidates !== undefined) return null;
  if (isSet(detail)) return { message: listed(chunk), code: chunk['code'] };
  return isText(message) ? chunk : null;
}

/** Cohere's finish reasons of an answer that is none. */
const failedFinishes: ReadonlySet<unknown> = new Set(['ERROR', 'TIMEOUT']);

/** The meaning of an error that came with a 200; null if it contains none. */
export function errorInAnswer(parsed: unknown): ErrorMeaning | null {
  const outer = fields(Array.isArray(parsed) ? (parsed as readonly unknown[])[0] : parsed);
  const { error } = outer;
  const failed =
    (typeof error === 'object' && error !== null) ||
    (typeof error === 'string' && error !== '') ||
    outer['type'] === 'error' ||
    outer['object'] === 'error' ||
    failedFinishes.has(outer['finish_reason']) ||
    (Array.isArray(outer['choices']) && outer['choices'].some(failedChoice));
  if (!failed) return null;
  const said = saidBy(parsed);
  if (said.status === 429) return 'rate-limit';
  if (said.status === 529) return 'overloaded';
  return meaningOf(said) ?? 'server-error';
}
