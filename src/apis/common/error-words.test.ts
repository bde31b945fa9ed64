import { describe, expect, it } from 'vitest';
import { readFailure } from './failure.ts';
import { errorInAnswer, meaningOf, readSaid } from './error-words.ts';

const openai = (message: string, more: object = {}): string =>
  JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code: null, ...more } });

describe('what an error means, whoever says it', () => {
  it.each([
    [
      'OpenAI',
      openai("This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.", {
        code: 'context_length_exceeded',
      }),
    ],
    ['OpenAI Responses', openai('Your input exceeds the context window of this model. Please adjust your input and try again.')],
    [
      'Anthropic',
      '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}',
    ],
    [
      'Anthropic, answer included',
      '{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again"}}',
    ],
    [
      'Gemini',
      '{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}',
    ],
    [
      'xAI',
      '{"code":"Client specified an invalid argument","error":"This model\'s maximum prompt length is 131072 but the request contains 150000 tokens."}',
    ],
    [
      'llama.cpp',
      '{"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"exceed_context_size_error"}}',
    ],
    [
      'Together',
      openai(
        'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 100 `max_new_tokens`',
      ),
    ],
    ['TensorRT-LLM', openai('The sum of prompt length (9000.0), query length (0) should not exceed max_num_tokens (8192)')],
    [
      'TensorRT-LLM, prompt alone',
      openai('Prompt length (9000) exceeds maximum input length (8192). Set log level to info for more details.'),
    ],
    ['Ollama', '{"error":"prompt too long; exceeded max context length by 100 tokens"}'],
    [
      'vLLM',
      '{"object":"error","message":"\'max_tokens\' or \'max_completion_tokens\' is too large: 4096. This model\'s maximum context length is 8192 tokens and your request has 5000 input tokens","type":"BadRequestError","param":null,"code":400}',
    ],
    [
      'vLLM, prompt alone',
      '{"object":"error","message":"The decoder prompt (length 9000) is longer than the maximum model length of 8192.","type":"BadRequestError","code":400}',
    ],
    [
      'SGLang',
      '{"object":"error","message":"The input (9000 tokens) is longer than the model\'s context length (8192 tokens).","type":"BadRequestError","code":400}',
    ],
    ['Groq', openai('Please reduce the length of the messages or completion.', { code: 'context_length_exceeded', param: 'messages' })],
    [
      'Cerebras',
      '{"message":"Please reduce the length of the messages or completion. Current length is 20000 while limit is 8192","type":"invalid_request_error"}',
    ],
    [
      'Cohere',
      '{"message":"too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs, or setting prompt_truncation=\'AUTO\'."}',
    ],
    ['Bedrock', '{"message":"Input is too long for requested model."}'],
    [
      'Mistral',
      '{"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error"}',
    ],
    ['TGI', '{"error":"`inputs` must have less than 4096 tokens. Given: 5000","error_type":"validation"}'],
    ['Zhipu', openai('Prompt exceeds max length')],
    ['DashScope', openai('Range of input length should be [1, 30720]')],
  ])('%s: the prompt is too long', (_who, body) => {
    expect(meaningOf(readSaid(Buffer.from(body)))).toBe('context-window');
    expect(readFailure(400, Buffer.from(body)).kind).toBe('context-length');
  });

  it.each([
    [
      'no credit at Anthropic',
      '{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}',
      'key-dead',
    ],
    [
      'a bad key at Google',
      '{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}',
      'key-dead',
    ],
    [
      'a stream of Google’s with an old key',
      '[{"error":{"code":400,"message":"API key expired.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]',
      'key-dead',
    ],
    [
      'billing at Google',
      '{"error":{"code":400,"message":"Gemini API free tier is not available in your country. Please enable billing on your project.","status":"FAILED_PRECONDITION"}}',
      'key-dead',
    ],
    ['no money at DeepSeek', openai('Insufficient Balance'), 'key-dead'],
    [
      'a model that Mistral has not',
      '{"object":"error","message":"Invalid model: mistral-large-2402","type":"invalid_model","param":null,"code":"1500"}',
      'model-gone',
    ],
    ['a model that Bedrock has not', '{"message":"The provided model identifier is invalid."}', 'model-gone'],
    [
      'a model that Groq had',
      openai('The model `llama3` has been decommissioned and is no longer supported.', { code: 'model_decommissioned' }),
      'model-gone',
    ],
    [
      'a parameter at OpenAI',
      openai("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", {
        code: 'unsupported_parameter',
      }),
      'unsupported-parameter',
    ],
    [
      'a parameter at Mistral',
      '{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted","input":1}]}',
      'unsupported-parameter',
    ],
    [
      'a parameter at Google',
      '{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \\"seed\\": Cannot find field.","status":"INVALID_ARGUMENT"}}',
      'unsupported-parameter',
    ],
    ['the app’s own mistake', openai("Invalid type for 'messages[0].content': expected a string."), null],
    ['a page of a proxy', '<html>bad request</html>', null],
    ['nothing', '', null],
  ])('%s', (_what, body, meaning) => expect(meaningOf(readSaid(Buffer.from(body)))).toBe(meaning));
});

describe('an error that came with a 200', () => {
  it.each([
    ['OpenRouter', { error: { message: 'Provider returned error', code: 502 } }, 'server-error'],
    ['with a limit', { error: { message: 'slow down', code: 429 } }, 'rate-limit'],
    ['Anthropic', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'overloaded'],
    ['Gemini', { error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' } }, 'overloaded'],
    ['Gemini, in a list', [{ error: { code: 500, message: 'x', status: 'INTERNAL' } }], 'server-error'],
    ['Responses', { object: 'response', status: 'failed', error: { code: 'server_error', message: 'x' } }, 'server-error'],
    ['vLLM', { object: 'error', message: 'x', code: 500 }, 'server-error'],
    ['an answer', { choices: [], error: null }, null],
    ['a response', { object: 'response', status: 'completed', error: null, output: [] }, null],
  ])('%s', (_who, body, meaning) => expect(errorInAnswer(body)).toBe(meaning));
});
