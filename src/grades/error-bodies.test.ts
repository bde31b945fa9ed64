import { describe, expect, it } from 'vitest';
import { judgeErrorBody, judgeStatus, bodyMayBlameModel } from './check-answer.ts';

// Bodies as providers send them, from their documentation and from public reports.
describe('an error whose status says too little', () => {
  it.each<readonly [string, number, string]>([
    [
      'context-window',
      400,
      '{"errors":[{"code":"invalid_input_argument","message":"Invalid input argument for Model: the number of input tokens 9000 cannot exceed the total tokens limit 8192 for this model"}],"status_code":400}',
    ],
    [
      'context-window',
      400,
      '{"code":20015,"message":"length of prompt_tokens (163280) must be less than max_seq_len (32768).","data":null}',
    ],
    ['context-window', 400, '{"error":{"message":"Total tokens of image and text exceed max message tokens.","code":"InvalidParameter"}}'],
    ['context-window', 400, '{"error":{"message":"The total number of tokens 140000 exceeds the maximum context of the model"}}'],
    ['context-window', 413, '{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}'],
    ['context-window', 400, '{"error":{"message":"string too long","code":"string_above_max_length","param":"messages[0].content"}}'],
    [
      'model-gone',
      400,
      '{"message":"Access denied. This Model is marked by provider as Legacy and you have not been actively using the model in the last 30 days."}',
    ],
    [
      'bad-tool-call',
      400,
      '{"error": {"message": "Failed to call a function. Please adjust your prompt. See \'failed_generation\' for more details.", "type": "invalid_request_error", "param": null, "code": "tool_use_failed"}}',
    ],
    [
      'content-filter',
      400,
      '{"type": "error", "error": {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"}}',
    ],
    ['content-filter', 400, '{"error": {"code": "bad", "message": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}'],
    ['content-filter', 400, '{"message": "The generated text has been blocked by our content filters."}'],
    [
      'content-filter',
      400,
      '{"error": {"message": "x", "type": "invalid_request_error", "param": null, "code": "responsible_ai_policy_violation"}}',
    ],
    ['content-filter', 400, '{"error": {"message": "Content Exists Risk", "type": "invalid_request_error", "param": null, "code": null}}'],
    [
      'content-filter',
      400,
      '{"error": {"message": "The request was rejected because it was considered high risk", "type": "content_filter", "param": null, "code": null}}',
    ],
    [
      'content-filter',
      400,
      '{"error": {"message": "Your request was rejected as a result of our safety system.", "type": "image_generation_user_error", "param": null, "code": "moderation_blocked"}}',
    ],
    [
      'content-filter',
      400,
      '{"error": {"message": "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.", "type": "invalid_request_error", "param": null, "code": "invalid_prompt"}}',
    ],
    [
      'content-filter',
      403,
      '{"error": {"code": 403, "message": "openai/x requires moderation. Your input was flagged for \\"violence\\".", "metadata": {"reasons": ["violence"], "flagged_input": "x"}}}',
    ],
    [
      'content-filter',
      400,
      '{"error": {"message": "Input data may contain inappropriate content.", "type": "data_inspection_failed", "param": null, "code": "data_inspection_failed"}}',
    ],
    [
      'content-filter',
      403,
      '{"code": "The caller does not have permission to execute the specified operation", "error": "Content violates usage guidelines. Team: x, API key ID: y, Model: grok-4, Failed check: SAFETY_CHECK_TYPE_CSAM"}',
    ],
    ['content-filter', 400, '{"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}}'],
    ['context-window', 422, '{"detail": "The number of input tokens exceeds the limit"}'],
    [
      'context-window',
      400,
      '{"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 208310 tokens > 200000 maximum"}}',
    ],
    [
      'context-window',
      413,
      '{"error": {"message": "Request body too large for gpt-4 model. Max size: 8000 tokens.", "type": "invalid_request_error", "param": null, "code": "tokens_limit_reached"}}',
    ],
    ['context-window', 400, '{"message": "The model returned the following errors: prompt is too long: 206449 tokens > 200000 maximum"}'],
    [
      'context-window',
      400,
      '{"message": "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again."}',
    ],
    ['rate-limit', 400, '{"message": "Too many tokens, please wait before trying again."}'],
    [
      'context-window',
      400,
      '{"message": "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}',
    ],
    [
      'context-window',
      400,
      '{"message": "too many tokens: total number of tokens in the prompt cannot exceed 128000 - received 150000. Try using a shorter prompt or enabling prompt truncating."}',
    ],
    [
      'context-window',
      400,
      '{"error": {"message": "prompt token count of 130000 exceeds the limit of 128000", "type": "invalid_request_error", "param": null, "code": "model_max_prompt_tokens_exceeded"}}',
    ],
    ['context-window', 400, '{"error_code": "BAD_REQUEST", "message": "Input sequence exceeds model maximum length of 8192 tokens"}'],
    [
      'context-window',
      400,
      '{"error": {"message": "This model\'s maximum context length is 65536 tokens. However, you requested 70000 tokens (60000 in the messages, 10000 in the completion).", "type": "invalid_request_error", "param": null, "code": null}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"object": "error", "type": "invalid_request_error", "message": "The prompt is too long: 140000, model maximum context length: 131071"}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"code": 400, "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}}',
    ],
    [
      'context-window',
      413,
      '{"error": {"message": "Request too large for model `llama-3.1-8b-instant` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 8120, please reduce your message size and try again.", "type": "tokens", "param": null, "code": "rate_limit_exceeded"}}',
    ],
    [
      'context-window',
      422,
      '{"error": {"message": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 200 `max_new_tokens`", "type": "invalid_request_error", "param": null, "code": null}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"code": 400, "message": "the request exceeds the available context size (4096 tokens), try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}}',
    ],
    [
      'context-window',
      400,
      '{"error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."}',
    ],
    [
      'context-window',
      400,
      '{"type": "error", "error": {"type": "bad_request_error", "message": "invalid params, context window exceeds limit (2013)", "http_code": "400"}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"message": "Input too long: 9000 tokens, limit is 8192", "type": "invalid_request_error", "param": null, "code": null}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"message": "Invalid request: Your request exceeded model token limit: 8192", "type": "invalid_request_error", "param": null, "code": null}}',
    ],
    ['context-window', 422, '{"detail": [{"type": "value_error", "msg": "This model\'s maximum context length is 4096 tokens"}]}'],
    ['context-window', 400, '{"error": {"message": "input length exceeds maximum context length", "type": "invalid_request_error"}}'],
    [
      'context-window',
      400,
      '{"error": {"message": "This model\'s maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"message": "This endpoint\'s maximum context length is 131072 tokens. However, you requested about 140000 tokens (139000 of text input, 1000 in the output). Please reduce the length of either one", "code": 400}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"message": "Range of input length should be [1, 30720]", "type": "invalid_request_error", "param": null, "code": "invalid_parameter_error"}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"message": "Your input exceeds the context window of this model. Please adjust your input and try again.", "type": "invalid_request_error", "param": "input", "code": "context_length_exceeded"}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"message": "Requested generation length 5000 is not possible! The provided prompt is 4000 tokens long, so generating 5000 tokens requires a sequence length of 9000, but the maximum supported sequence length is just 8192!", "type": "invalid_request_error", "param": null, "code": null}}',
    ],
    [
      'context-window',
      422,
      '{"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000", "error_type": "validation"}',
    ],
    [
      'context-window',
      400,
      '{"error": {"code": 400, "message": "Unable to submit request because the input token count is 1200000 but model only supports up to 1048576. Reduce the input token count and try again.", "status": "INVALID_ARGUMENT"}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"message": "\'max_tokens\' or \'max_completion_tokens\' is too large: 5000. This model\'s maximum context length is 4096 tokens and your request has 100 input tokens", "type": "BadRequestError", "code": 400}}',
    ],
    [
      'context-window',
      400,
      '{"object": "error", "message": "This model\'s maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages, Please reduce the length of the messages.", "type": "BadRequestError", "param": null, "code": 400}',
    ],
    [
      'context-window',
      400,
      '{"code": "Client specified an invalid argument", "error": "This model\'s maximum prompt length is 131072 but the request contains 140000 tokens."}',
    ],
    ['context-window', 400, '{"error": {"code": "1261", "message": "Prompt exceeds max length"}}'],
    [
      'invalid-json',
      400,
      '{"error": {"message": "Failed to generate JSON. Please adjust your prompt. See \'failed_generation\' for more details.", "type": "invalid_request_error", "param": null, "code": "json_validate_failed"}}',
    ],
    ['key-dead', 400, '{"type": "error", "error": {"type": "invalid_request_error", "message": "This organization has been disabled."}}'],
    [
      'key-dead',
      400,
      '{"type": "error", "error": {"type": "invalid_request_error", "message": "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}',
    ],
    [
      'key-dead',
      400,
      '{"type": "error", "error": {"type": "invalid_request_error", "message": "You have reached your specified workspace API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}',
    ],
    ['key-dead', 498, '{"message": "invalid token"}'],
    [
      'key-dead',
      400,
      '{"error": {"code": 400, "message": "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.", "status": "FAILED_PRECONDITION"}}',
    ],
    [
      'key-dead',
      400,
      '[{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]',
    ],
    [
      'key-dead',
      400,
      '{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT", "details": [{"@type": "x", "reason": "API_KEY_INVALID"}]}}',
    ],
    [
      'key-dead',
      400,
      '{"error": {"code": 400, "message": "User location is not supported for the API use.", "status": "FAILED_PRECONDITION"}}',
    ],
    [
      'key-dead',
      403,
      '{"error": {"code": 403, "message": "Permission denied: Consumer \'api_key:x\' has been suspended.", "status": "PERMISSION_DENIED", "details": [{"reason": "CONSUMER_SUSPENDED"}]}}',
    ],
    [
      'key-dead',
      403,
      '{"error": {"message": "Your account is suspended, please check your plan and billing details", "type": "exceeded_current_quota_error", "param": null, "code": null}}',
    ],
    [
      'key-dead',
      400,
      '{"error": {"message": "Billing hard limit has been reached", "type": "invalid_request_error", "param": null, "code": "billing_hard_limit_reached"}}',
    ],
    [
      'key-dead',
      403,
      '{"error": {"message": "Country, region, or territory not supported", "type": "request_forbidden", "param": null, "code": "unsupported_country_region_territory"}}',
    ],
    [
      'key-dead',
      400,
      '{"error": {"message": "Access denied, please make sure your account is in good standing.", "type": "Arrearage", "param": null, "code": "Arrearage"}}',
    ],
    [
      'key-dead',
      400,
      '{"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***. You can obtain an API key from https://console.x.ai."}',
    ],
    [
      'key-dead',
      403,
      '{"code": "The caller does not have permission to execute the specified operation", "error": "Your newly created team doesn\'t have any credits yet."}',
    ],
    [
      'model-gone',
      400,
      '{"error": {"code": "OperationNotSupported", "message": "The chatCompletion operation does not work with the specified model, x. Please choose different model and try again."}}',
    ],
    ['model-gone', 400, '{"error": {"code": "unknown_model", "message": "Unknown model: x"}}'],
    ['model-gone', 403, '{"message": "You don\'t have access to the model with the specified model ID."}'],
    [
      'model-gone',
      400,
      '{"message": "Invocation of model ID x with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model."}',
    ],
    [
      'model-gone',
      400,
      '{"error": {"message": "The requested model is not supported.", "type": "invalid_request_error", "param": null, "code": "model_not_supported"}}',
    ],
    ['model-gone', 400, '{"error": {"message": "Model is deprecated", "type": "x"}}'],
    [
      'model-gone',
      400,
      '{"error": {"message": "The model `x` has been decommissioned and is no longer supported. Please refer to https://console.groq.com/docs/deprecations", "type": "invalid_request_error", "param": null, "code": "model_decommissioned"}}',
    ],
    ['model-gone', 403, '{"object": "error", "message": "You are not allowed to use this model", "type": "forbidden", "code": "3000"}'],
    [
      'model-gone',
      400,
      '{"error": {"message": "The requested model \'gpt-5.1\' does not exist.", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}}',
    ],
    [
      'model-gone',
      403,
      '{"error": {"message": "Project `proj_x` does not have access to model `gpt-5.1`", "type": "invalid_request_error", "param": null, "code": "model_not_found"}}',
    ],
    ['model-gone', 400, '{"error": {"message": "openai/x is not a valid model ID", "code": 400}}'],
    [
      'model-gone',
      400,
      '{"error": {"message": "Invalid model \'x\'. Permitted models can be found in the documentation", "type": "invalid_model", "code": 400}}',
    ],
    [
      'model-gone',
      400,
      '{"error": {"message": "Unable to access non-serverless model x. Please visit https://api.together.ai/models/x to create and start a new dedicated endpoint for the model.", "type": "invalid_request_error", "code": "model_not_available"}}',
    ],
    ['model-gone', 400, '{"code": "Client specified an invalid argument", "error": "Model not found: grok-x"}'],
    ['model-gone', 400, '{"error": {"code": "1211", "message": "模型不存在，请检查模型代码。"}}'],
    ['overloaded', 400, '{"error": {"message": "Service temporarily at capacity", "type": "invalid_request_error"}}'],
    [
      'overloaded',
      498,
      '{"error": {"message": "Flex tier capacity exceeded", "type": "server_error", "param": null, "code": "capacity_exceeded"}}',
    ],
    ['rate-limit', 400, '{"message": "Too many requests, please wait before trying again.", "__type": "ThrottlingException"}'],
    ['context-window', 400, '{"error": "Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)"}'],
    ['context-window', 400, '{"error": "Input prompt (24000 tokens) is too long and exceeds limit of 8192", "code": 400}'],
    [
      'context-window',
      400,
      '{"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "{\\"error\\":{\\"message\\":\\"prompt is too long: 210000 tokens > 200000 maximum\\",\\"type\\":\\"invalid_request_error\\"}}", "provider_name": "Anthropic"}}}',
    ],
    [
      'context-window',
      400,
      '{"error": {"code": "Invalid input", "status": 400, "message": "invalid input error", "details": "This model\'s maximum context length is 131072 tokens"}}',
    ],
    ['context-window', 400, '{"message": "max tokens of 8192 exceeded", "request_id": "x", "error_code": "370001"}'],
    [
      'model-gone',
      403,
      '{"error": {"message": "The model `groq/compound` is blocked at the organization level. Please have the org admin enable this model in the org settings at https://console.groq.com/settings/limits", "type": "permissions_error", "param": null, "code": "model_permission_blocked_org"}}',
    ],
    [
      'model-gone',
      400,
      '{"error": {"message": "The model `canopylabs/orpheus-v1-english` requires terms acceptance. Please have the org admin accept the terms at https://console.groq.com/playground?model=x", "type": "invalid_request_error", "param": null, "code": "model_terms_required"}}',
    ],
    [
      'model-gone',
      400,
      '{"error": "The model grok-beta was deprecated on 2025-09-15 and is no longer accessible via the API. Please use grok-3 instead."}',
    ],
    [
      'model-gone',
      400,
      '{"error": "Failed to load model \\"qwen3-30b\\". Error: Model loading was stopped due to insufficient system resources."}',
    ],
    [
      'model-gone',
      400,
      '{"message": "This model version has reached the end of its life. Please refer to the AWS documentation for more details."}',
    ],
    [
      'model-gone',
      400,
      '{"error": {"code": 400, "message": "Publisher Model `projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-4-7` is not servable in region us-east5.", "status": "FAILED_PRECONDITION"}}',
    ],
    ['model-gone', 403, '{"error": {"code": "access_denied", "message": "Model access denied.", "param": null, "type": "access_denied"}}'],
    ['model-gone', 403, '{"error": {"message": "Not found the model kimi-x or Permission denied", "type": "permission_denied"}}'],
    [
      'key-dead',
      400,
      '{"error": {"message": "Organization has been restricted. Please reach out to support if you believe this was in error.", "type": "invalid_request_error", "param": "", "code": "organization_restricted"}}',
    ],
    [
      'key-dead',
      412,
      '{"error": {"object": "error", "type": "error", "code": "PRECONDITION_FAILED", "message": "Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices. Please go to https://fireworks.ai/account/billing for more information."}}',
    ],
    [
      'rate-limit',
      400,
      '{"error": {"code": "limit_requests", "message": "You exceeded your current requests list.", "type": "limit_requests"}}',
    ],
    [
      'content-filter',
      400,
      '{"type": "error", "error": {"type": "bad_request_error", "message": "input new_sensitive (1026)", "http_code": "400"}}',
    ],
    [
      'content-filter',
      400,
      '{"error": {"code": "InputTextSensitiveContentDetected", "message": "The request failed because the input text may contain sensitive information. Request id: 0", "type": "BadRequest"}}',
    ],
    [
      'key-dead',
      400,
      '{"error": {"message": "Your account is not active, please check your billing details on our website.", "type": "invalid_request_error"}}',
    ],
    ['content-filter', 400, '{"error": {"message": "The prompt was blocked due to safety settings", "type": "invalid_request_error"}}'],
    ['overloaded', 400, '{"error": {"message": "No available capacity for this model", "type": "invalid_request_error"}}'],
    [
      'overloaded',
      400,
      '{"error": {"message": "Model too busy, unable to get response in less than 60 second(s)", "type": "invalid_request_error"}}',
    ],
    ['rate-limit', 400, '{"error": {"message": "Quota exceeded for this project", "type": "invalid_request_error"}}'],
    ['model-gone', 400, '{"error": {"message": "Model \'foo\' is not deployed", "type": "invalid_request_error"}}'],
    [
      'context-window',
      400,
      '{"error": {"message": "Input tokens exceed the configured limit of 272000 tokens.", "type": "invalid_request_error"}}',
    ],
  ])('%s: %i %s', (meaning, status, body) => {
    expect(judgeStatus(status)).toBe('look');
    expect(judgeErrorBody(Buffer.from(body), status)).toBe(meaning);
  });

  it.each([
    [400, '{"error":{"message":"Invalid value for temperature: use a number of the region 0 to 2","type":"invalid_request_error"}}'],
    [400, '{"error":{"message":"messages.0.content: Input should be a valid string","type":"invalid_request_error"}}'],
    [400, '{"error":{"message":"Invalid schema for function f: context is not of type object","type":"invalid_request_error"}}'],
    [422, '{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}'],
    [413, '{"error":{"message":"image exceeds 5 MB maximum","type":"invalid_request_error"}}'],
  ])('the app’s own mistake: %i %s', (status, body) => expect(judgeErrorBody(Buffer.from(body), status)).toBe(null));

  it.each([
    [403, 'key-dead'],
    [498, 'overloaded'],
  ])('%i without a word', (status, meaning) => expect(judgeErrorBody(Buffer.alloc(0), status)).toBe(meaning));
});

it('is the app’s where a name is too long, whatever the code', () => {
  const body = { error: { message: 'string too long', code: 'string_above_max_length', param: 'tools[0].function.name' } };
  expect(judgeErrorBody(Buffer.from(JSON.stringify(body)))).toBeNull();
});

it.each(['stream this model', 'use the model `gpt-5`'])('is the model’s where the organization must be verified to %s', (what) => {
  const body = {
    error: {
      message: `Your organization must be verified to ${what}. Please go to the settings and click on Verify Organization.`,
      type: 'invalid_request_error',
      param: 'stream',
      code: 'unsupported_value',
    },
  };
  expect(judgeErrorBody(Buffer.from(JSON.stringify(body)), 400)).toBe('model-gone');
});

it.each([
  ['max_tokens: 60000 > 32000, which is the maximum allowed number of output tokens for claude-haiku-4-5', true],
  ['Your organization must be verified to stream this model.', true],
  ['The thinking budget 600 is invalid. Please choose a value between 1024 and 24576.', true],
  ['Search Grounding is not supported.', true],
  ["Invalid 'messages[0].content': expected a string", false],
])('may be due to a model that the app did not ask for: %s (%s)', (message, may) => {
  expect(bodyMayBlameModel(Buffer.from(JSON.stringify({ error: { message } })))).toBe(may);
});
