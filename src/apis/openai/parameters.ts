import type { Parameter } from '../types.ts';
import type { AskedModel, ParameterRule, ParameterTable } from '../common/parameter-types.ts';

const reasoningGuide = 'OpenAI: Reasoning models; Azure OpenAI: Reasoning models, "Not supported"';
const modelPages = 'OpenAI: the models’ pages, "Tools" and "Features"';

const openaiProviders: ReadonlySet<string> = new Set(['openai', 'azure']);

/** Whether thinking is turned off in this request: newer models then accept sampling parameters. */
function thoughtless({ openai }: AskedModel, request: readonly Parameter[]): boolean {
  return (
    openai.reasoningOff &&
    request.some(({ name, value }) => (name === 'reasoning_effort' || name === 'reasoning.effort') && value === 'none')
  );
}

const samplingRules: readonly ParameterRule[] = [
  {
    parameters: ['temperature', 'top_p'],
    values: 'all but 1',
    models: 'o-series, gpt-5; later ones unless reasoning effort is `none`',
    source: reasoningGuide,
    sample: 0,
    refuses: (asked, { value }, request) => asked.openai.reasoning && value !== 1 && !thoughtless(asked, request),
  },
  {
    parameters: ['logprobs', 'top_logprobs', 'include.message.output_text.logprobs'],
    values: 'all but false and 0',
    models: 'o-series, gpt-5; later ones unless reasoning effort is `none`',
    source: reasoningGuide,
    sample: true,
    refuses: (asked, { value }, request) => asked.openai.reasoning && value !== false && value !== 0 && !thoughtless(asked, request),
  },
  {
    parameters: ['presence_penalty', 'frequency_penalty'],
    values: 'all but 0',
    models: 'o-series, gpt-5 and later',
    source: reasoningGuide,
    sample: 0.5,
    refuses: ({ openai }, { value }) => openai.reasoning && value !== 0,
  },
  {
    parameters: ['stop', 'logit_bias'],
    values: 'all',
    models: 'o-series, gpt-5 and later',
    source: reasoningGuide,
    sample: null,
    refuses: ({ openai }) => openai.reasoning,
  },
  {
    parameters: ['parallel_tool_calls'],
    values: 'all',
    models: 'o-series',
    source: reasoningGuide,
    sample: true,
    refuses: ({ openai }) => openai.series,
  },
];

const thinkingRules: readonly ParameterRule[] = [
  {
    parameters: ['reasoning_effort', 'reasoning.effort'],
    values: 'those that the model has not',
    models:
      'o-series: `low` to `high`; gpt-5: `minimal` to `high`; 5.1: `none`, `low` to `high`; 5.2 and later: `xhigh` too; pro and codex fewer; all others: none',
    source: 'OpenAI: Reasoning models, "Reasoning effort"',
    sample: 'none',
    refuses: ({ openai }, { value }) => openai.own && typeof value === 'string' && !openai.efforts.includes(value),
  },
  {
    parameters: ['reasoning.summary', 'reasoning.generate_summary', 'include.reasoning.encrypted_content', 'input.reasoning'],
    values: 'all',
    models: 'models that do not think',
    source: 'OpenAI: Reasoning models',
    sample: true,
    refuses: ({ openai }) => openai.own && !openai.reasoning,
  },
  {
    parameters: ['verbosity', 'text.verbosity'],
    values: 'all but `medium`',
    models: 'before gpt-5',
    source: 'OpenAI: Using GPT-5',
    sample: 'low',
    refuses: ({ openai }, { value }) => openai.own && openai.version < 50 && value !== 'medium',
  },
];

const serviceRules: readonly ParameterRule[] = [
  {
    parameters: ['service_tier'],
    values: '`flex`',
    models: 'all but o3, o4-mini, gpt-5 and later',
    source: 'OpenAI: Pricing, "Flex"',
    sample: 'flex',
    refuses: ({ provider, model, openai }, { value }) =>
      openaiProviders.has(provider) && value === 'flex' && !(openai.version >= 50 || /^(?:o3|o4-mini)(?:-20|$)/.test(model)),
  },
  {
    parameters: ['service_tier'],
    values: '`priority`',
    models: 'all but o3, o4-mini, gpt-4o, gpt-4.1, gpt-5 and later; not gpt-5-nano',
    source: 'OpenAI: Pricing, "Priority"',
    sample: 'priority',
    refuses: ({ provider, model, openai }, { value }) =>
      (openaiProviders.has(provider) &&
        (value === 'priority' || value === 'fast') &&
        !(openai.version >= 41 || /^(?:gpt-4o|o3|o4-mini)/.test(model))) ||
      (openai.version === 50 && openai.kind === 'nano' && value === 'priority'),
  },
  {
    parameters: ['service_tier'],
    values: '`scale`',
    models: 'every model but the one that it was bought for',
    source: 'OpenAI: Scale tier',
    sample: 'scale',
    refuses: ({ provider }, { value }) => openaiProviders.has(provider) && value === 'scale',
  },
  {
    parameters: ['prompt_cache_retention'],
    values: '`24h`',
    models: 'all but gpt-4.1, gpt-5 and later; not their mini and nano',
    source: 'OpenAI: Prompt caching, "Extended retention"',
    sample: '24h',
    refuses: ({ provider, openai }, { value }) =>
      openaiProviders.has(provider) && value === '24h' && (openai.version < 41 || /mini|nano/.test(openai.kind)),
  },
  {
    parameters: ['prediction'],
    values: 'all',
    models: 'all but gpt-4o and gpt-4.1 with their small ones',
    source: 'OpenAI: Predicted outputs',
    sample: null,
    refuses: ({ provider, model, openai }) =>
      openaiProviders.has(provider) && !(openai.version === 41 || /^gpt-4o(?:-mini)?(?:-20|$)/.test(model)),
  },
  {
    parameters: ['web_search_options'],
    values: 'all',
    models: 'all but the search models',
    source: 'OpenAI: Web search, "Chat Completions"',
    sample: null,
    refuses: ({ provider, model }) => openaiProviders.has(provider) && !/-search-(?:preview|api)/.test(model),
  },
];

/** Whether a model can call this tool of the Responses API that OpenAI runs. */
function takesHosted(type: string, { model, openai }: AskedModel): boolean {
  const { version, kind } = openai;
  const modern = version >= 50 || version === 41 || /^gpt-4o(?:-mini)?(?:-20|$)/.test(model);
  switch (type) {
    case 'web_search':
    case 'web_search_2025_08_26':
    case 'web_search_preview':
    case 'web_search_preview_2025_03_11':
      return (modern && !(version === 41 && kind === 'nano')) || /^(?:o3|o4-mini)(?:-|$)/.test(model);
    case 'image_generation':
      return modern || /^o3(?:-20|$)/.test(model);
    case 'code_interpreter':
    case 'file_search':
    case 'mcp':
      return modern || /^(?:o1|o3|o4-mini)(?:-20|$)/.test(model);
    case 'custom':
      return version >= 50;
    case 'shell':
    case 'apply_patch':
      return version >= 51 && !/mini|nano/.test(kind);
    case 'computer':
    case 'tool_search':
    case 'namespace':
      return version >= 54 && kind !== 'nano';
    case 'computer_use_preview':
      return model.startsWith('computer-use-preview');
    case 'local_shell':
      return model.startsWith('codex-mini');
    default:
      return false;
  }
}

const toolRules: readonly ParameterRule[] = [
  {
    parameters: ['tools.*'],
    values: 'types other than `function`',
    models: 'those whose page does not list the tool',
    source: modelPages,
    sample: true,
    refuses: (asked, { name }) => !takesHosted(name.slice('tools.'.length), asked) || !asked.openai.own,
  },
  {
    parameters: ['tools.web_search*'],
    values: 'all',
    models: 'gpt-5 with reasoning effort `minimal`',
    source: 'OpenAI: Web search, "Limitations"',
    sample: true,
    refuses: ({ openai }, _parameter, request) =>
      openai.version === 50 && request.some(({ name, value }) => name === 'reasoning.effort' && value === 'minimal'),
  },
];

/** The members that Mistral's API accepts; it refuses all others. */
const mistralTakes: ReadonlySet<string> = new Set([
  'temperature',
  'top_p',
  'max_tokens',
  'max_completion_tokens',
  'stop',
  'random_seed',
  'metadata',
  'presence_penalty',
  'frequency_penalty',
  'n',
  'prediction',
  'parallel_tool_calls',
  'prompt_mode',
  'safe_prompt',
  'guardrails',
  'prompt_cache_key',
  'reasoning_effort',
  'document_image_limit',
  'document_page_limit',
]);

const compatibleRules: readonly ParameterRule[] = [
  {
    parameters: ['*'],
    values: 'all that its API does not list',
    models: 'Mistral',
    source: 'Mistral: Chat completion endpoint (additional properties are forbidden)',
    sample: null,
    refuses: ({ provider }, { name }) => provider === 'mistral' && !mistralTakes.has(name),
  },
  {
    parameters: ['presence_penalty', 'frequency_penalty', 'stop'],
    values: 'all',
    models: 'xAI: models that think',
    source: 'xAI: Reasoning',
    sample: 0.5,
    refuses: ({ provider, model }) => provider === 'xai' && /^grok-(?:3-mini|4|code)/.test(model) && !model.includes('non-reasoning'),
  },
  {
    parameters: ['reasoning_effort', 'reasoning.effort'],
    values: 'all',
    models: 'xAI: grok-3, grok-4 up to 4.2',
    source: 'xAI: Reasoning, "Control the effort"',
    sample: 'low',
    refuses: ({ provider, model }) => provider === 'xai' && !model.startsWith('grok-3-mini') && !/^grok-(?:4\.[3-9]|[5-9])/.test(model),
  },
  {
    parameters: ['logprobs', 'top_logprobs', 'logit_bias'],
    values: 'all',
    models: 'Groq',
    source: 'Groq: OpenAI compatibility, "Unsupported features"',
    sample: true,
    refuses: ({ provider }, { value }) => provider === 'groq' && value !== false && value !== 0,
  },
  {
    parameters: ['presence_penalty', 'frequency_penalty', 'logit_bias', 'parallel_tool_calls', 'service_tier'],
    values: 'all',
    models: 'Cerebras',
    source: 'Cerebras: OpenAI compatibility',
    sample: 0.5,
    refuses: ({ provider }) => provider === 'cerebras',
  },
  {
    parameters: ['logprobs', 'top_logprobs'],
    values: 'all',
    models: 'deepseek-reasoner',
    source: 'DeepSeek: Reasoning model',
    sample: true,
    refuses: ({ provider, model }) => provider === 'deepseek' && model.includes('reasoner'),
  },
  {
    parameters: ['logit_bias', 'logprobs', 'top_logprobs', 'prediction', 'verbosity', 'web_search_options'],
    values: 'all',
    models: 'Gemini behind OpenAI’s API',
    source: 'Google: OpenAI compatibility',
    sample: null,
    refuses: ({ provider }) => provider === 'google',
  },
];

const rules: readonly ParameterRule[] = [...samplingRules, ...thinkingRules, ...serviceRules, ...toolRules, ...compatibleRules];

/** The name that a model requires for the limit on its answer; null if it accepts either. */
function limitName({ provider, openai }: AskedModel): 'max_tokens' | 'max_completion_tokens' | null {
  if (provider === 'mistral') return 'max_tokens';
  return openai.reasoning ? 'max_completion_tokens' : null;
}

/** The parameters that models of OpenAI and of compatible providers refuse. */
export const openaiParameters: ParameterTable = { title: 'OpenAI’s API, and those that are compatible with it', rules, limitName };
