import { emptyConversation } from '../common/conversation.ts';
import type { Conversation, Output, Reasoning, ToolDefinition } from '../common/conversation.ts';
import type { Json } from '../common/json.ts';
import type { Losses } from '../common/losses.ts';
import { Members } from '../common/members.ts';
import { effortOf, functionsOf, outputOf, toolChoiceOf, userOf } from '../openai/translate-read.ts';
import { readResponsesInput } from './translate-read-input.ts';
import { fitsStrict } from '../common/strict-schema.ts';

const own = 'only OpenAI has it';

/** Reads the body of POST /responses, if it is self-contained: state stored at OpenAI cannot be read elsewhere. */
export function readOpenAiResponses(body: Json, losses: Losses): Conversation {
  const request = new Members(body, '', losses);
  request.ignore('model', 'stream');
  request.object('stream_options')?.expect('include_obfuscation', [false], own);
  for (const key of ['previous_response_id', 'conversation', 'prompt']) {
    if (request.take(key) !== undefined) losses.refuse(key, 'a part of the conversation is at OpenAI');
  }
  if (request.boolean('background') === true) losses.refuse('background', 'answers to be fetched later exist at OpenAI only');
  request.expect('store', [false], 'answers are kept nowhere else');
  request.expect('include', [[]], own);
  request.expect('truncation', ['disabled'], 'nothing is cut from a prompt that is too long');
  request.expect('top_logprobs', [0], 'the answer would come without log probabilities');
  request.expect('service_tier', ['auto', 'default'], own);
  request.expect('metadata', [{}], own);
  request.lose(
    own,
    'context_management',
    'moderation',
    'prompt_cache_key',
    'prompt_cache_options',
    'prompt_cache_retention',
    'max_tool_calls',
  );
  const instructions = request.string('instructions');
  const { system, turns } = readResponsesInput(request.take('input'), losses);
  const parallel = request.boolean('parallel_tool_calls');
  const format = readText(request.object('text'), losses);
  const conversation: Conversation = {
    ...emptyConversation,
    system: instructions === null ? system : [{ kind: 'text', text: instructions }, ...system],
    turns,
    tools: readTools(request.list('tools') ?? [], losses),
    toolChoice: toolChoiceOf(request.take('tool_choice'), losses, false),
    parallelCalls: parallel === null ? null : { value: parallel, at: 'parallel_tool_calls' },
    maxTokens: request.number('max_output_tokens'),
    temperature: request.setting('temperature'),
    topP: request.setting('top_p'),
    ...format,
    reasoning: readReasoning(request.object('reasoning')),
    user: userOf(request, losses),
  };
  request.done();
  return conversation;
}

function readText(config: Members | null, losses: Losses): Pick<Conversation, 'verbosity'> & { readonly output: Output } {
  const format = config?.object('format') ?? null;
  const output = outputOf(format?.string('type') ?? null, format, 'text.format', losses);
  const verbosity = config?.string('verbosity') ?? null;
  config?.done();
  return { output, verbosity: verbosity === null || verbosity === 'medium' ? null : { value: verbosity, at: 'text.verbosity' } };
}

function readReasoning(reasoning: Members | null): Reasoning | null {
  if (reasoning === null) return null;
  const effort = reasoning.string('effort');
  reasoning.lose('thoughts are not carried over', 'summary', 'generate_summary');
  reasoning.expect('context', ['auto'], own);
  reasoning.expect('mode', ['standard'], own);
  reasoning.done();
  return effortOf(effort, 'reasoning.effort');
}

function readTools(tools: readonly Json[], losses: Losses): readonly ToolDefinition[] {
  return functionsOf(tools, losses, (tool) => {
    const schema = tool.take('parameters') ?? null;
    tool.expect('defer_loading', [false], own);
    tool.lose(own, 'allowed_callers', 'output_schema');
    return {
      name: tool.string('name') ?? '',
      description: tool.string('description'),
      schema,
      // Strict by default in this API, if the schema allows it.
      strict: tool.boolean('strict') ?? (schema !== null && fitsStrict(schema)),
    };
  });
}
