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
    parameters: ['reasoning.mode'],
    values: '`pro`',
    models: 'before gpt-5.6',
    source: 'OpenAI: Reasoning models',
    sample: 'pro',
    refuses: ({ openai }, { value }) => openai.own && openai.version < 56 && value === 'pro',
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

/** Models for one purpose have the standard tier alone. */
const special = /chat|search|cyber|law|rosalind|audio|image/;

function hasFlex(model: string, { version, kind }: AskedModel['openai']): boolean {
  if (version < 50) return /^(?:o3|o4-mini)(?:-20|$)/.test(model);
  return !special.test(kind) && !kind.includes('codex') && (kind !== 'pro' || version >= 54);
}

function hasPriority(model: string, { version, kind }: AskedModel['openai']): boolean {
  if (version < 41) return /^(?:gpt-4o(?:-mini)?|o3|o4-mini)(?:-20|$)/.test(model);
  return !special.test(kind) && !/pro|codex-mini/.test(kind) && (version < 50 || kind !== 'nano');
}

const serviceRules: readonly ParameterRule[] = [
  {
    parameters: ['service_tier'],
    values: '`flex`',
    models: 'all but o3, o4-mini, gpt-5 and later; not chat, codex and others for one purpose, nor pro before 5.4',
    source: 'OpenAI: Pricing, "Flex"',
    sample: 'flex',
    refuses: ({ provider, model, openai }, { value }) => openaiProviders.has(provider) && value === 'flex' && !hasFlex(model, openai),
  },
  {
    parameters: ['service_tier'],
    values: '`priority`',
    models: 'all but o3, o4-mini, gpt-4o, gpt-4.1, gpt-5 and later; not chat, pro and others for one purpose, nor nano from gpt-5',
    source: 'OpenAI: Pricing, "Priority"',
    sample: 'priority',
    refuses: ({ provider, model, openai }, { value }) =>
      openaiProviders.has(provider) && (value === 'priority' || value === 'fast') && !hasPriority(model, openai),
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
    models: 'all but the search models; elsewhere it is ignored',
    source: 'OpenAI: Web search, "Chat Completions"; Perplexity: Chat completions',
    sample: null,
    refuses: ({ model }) => !/-search-(?:preview|api)|sonar/.test(model),
  },
  {
    parameters: ['search_parameters', 'data_sources'],
    values: 'all',
    models: 'those of others than xAI and Azure, which search for the answer',
    source: 'xAI: Live search; Azure OpenAI: On your data',
    sample: null,
    refuses: ({ provider }, { name }) => provider !== (name === 'data_sources' ? 'azure' : 'xai'),
  },
];

/** Whether a model can call this tool of the Responses API that OpenAI runs. */
function takesHosted(type: string, { model, openai }: AskedModel): boolean {
  const { version, kind } = openai;
  const modern = version >= 50 || version === 41 || /^gpt-4o(?:-mini)?(?:-20|$)/.test(model);
  switch (type) {
    case 'function':
      return true;
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

function refusesFunctions(takes: AskedModel['openai']['chatTools'], request: readonly Parameter[]): boolean {
  if (takes === 'any' || takes === 'never') return takes === 'never';
  const effort = request.findLast(({ name }) => name === 'reasoning_effort')?.value ?? null;
  return effort === null ? takes === 'off' : effort !== 'none';
}

const toolRules: readonly ParameterRule[] = [
  {
    parameters: ['tools.*'],
    values: 'types other than `function`',
    models: 'those whose page does not list the tool',
    source: modelPages,
    sample: true,
    refuses: (asked, { name }) => name !== 'tools.function' && (!takesHosted(name.slice('tools.'.length), asked) || !asked.openai.own),
  },
  {
    parameters: ['tools.function'],
    values: 'all, in chat completions',
    models:
      'gpt-5.4 and 5.5 beside a reasoning effort other than `none`; gpt-5.6, gpt-6-sol and gpt-6-luna unless it is `none`; gpt-6-astra and gpt-6.1 always',
    source: 'OpenAI: Deployment checklist; the API’s own refusal ("Function tools with reasoning_effort are not supported")',
    sample: true,
    refuses: ({ openai }, _parameter, request) => refusesFunctions(openai.chatTools, request),
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

const noEffort: ReadonlySet<unknown> = new Set();
const onOrOff: ReadonlySet<unknown> = new Set(['none', 'high']);
const ofLarge: ReadonlySet<unknown> = new Set(['none', 'low', 'medium', 'high']);
const ofOss: ReadonlySet<unknown> = new Set(['low', 'medium', 'high']);
const ofQwen: ReadonlySet<unknown> = new Set(['none', 'default']);

function mistralEfforts(model: string): ReadonlySet<unknown> {
  if (/^mistral-large-(?:4|latest)/.test(model)) return ofLarge;
  return /^mistral-(?:small(?:-latest|-2603)?|medium-(?:3[.-]5|2604|latest))$/.test(model) ? onOrOff : noEffort;
}

/** Hosts of open models that accept an effort for gpt-oss, and Groq for Qwen. */
function openEfforts(provider: string, model: string): ReadonlySet<unknown> {
  if (model.includes('gpt-oss')) return ofOss;
  return provider === 'groq' && model.includes('qwen') ? ofQwen : noEffort;
}

const compatibleRules: readonly ParameterRule[] = [
  {
    parameters: ['*'],
    values: 'all that its API does not list',
    models: 'Mistral',
    source: 'Mistral: Chat completion endpoint (additional properties are forbidden)',
    sample: null,
    refuses: ({ provider }, { name }) => provider === 'mistral' && name !== 'tools.function' && !mistralTakes.has(name),
  },
  {
    parameters: ['reasoning_effort'],
    values: 'all but `none` and `high`; for Large 4 `xhigh`',
    models: 'Mistral: Small, Medium from 3.5, Large 4; others refuse all',
    source: 'Mistral: Reasoning, "Adjustable"',
    sample: 'low',
    refuses: ({ provider, model }, { value }) => provider === 'mistral' && !mistralEfforts(model).has(value),
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
    models: 'xAI: grok-3, grok-4 up to 4.2 but for the multi-agent ones',
    source: 'xAI: Reasoning, "Control the effort"',
    sample: 'low',
    refuses: ({ provider, model }) => provider === 'xai' && !/^grok-(?:3-mini|4\.[3-9]|[5-9])|multi-agent/.test(model),
  },
  {
    parameters: ['reasoning_effort', 'reasoning.effort'],
    values: '`minimal`, `max`, `none` but for 4.3, `xhigh` but for the multi-agent ones',
    models: 'xAI',
    source: 'xAI: Reasoning, "Control the effort"',
    sample: 'minimal',
    refuses: ({ provider, model }, { value }) =>
      provider === 'xai' &&
      (value === 'minimal' ||
        value === 'max' ||
        (value === 'none' && !model.startsWith('grok-4.3')) ||
        (value === 'xhigh' && !model.includes('multi-agent'))),
  },
  {
    parameters: ['logprobs', 'top_logprobs', 'logit_bias', 'messages.name', 'n'],
    values: 'all',
    models: 'Groq',
    source: 'Groq: OpenAI compatibility, "Unsupported features"',
    sample: true,
    refuses: ({ provider }, { value }) => provider === 'groq' && value !== false && value !== 0,
  },
  {
    parameters: ['verbosity', 'prediction', 'modalities', 'audio', 'safety_identifier', 'prompt_cache_retention'],
    values: 'all',
    models: 'Groq',
    source: 'Groq: API reference, which refuses what it does not list ("property is unsupported")',
    sample: 'low',
    refuses: ({ provider }) => provider === 'groq',
  },
  {
    parameters: ['messages.developer'],
    values: 'a message of the role `developer`',
    models: 'DeepSeek',
    source: 'DeepSeek: the API’s own refusal ("unknown variant `developer`")',
    sample: true,
    refuses: ({ provider }) => provider === 'deepseek',
  },
  {
    parameters: ['reasoning_effort'],
    values: 'all but `low` to `high`',
    models: 'Together',
    source: 'Together: Chat completions reference',
    sample: 'minimal',
    refuses: ({ provider }, { value }) => provider === 'together' && !ofOss.has(value),
  },
  {
    parameters: ['reasoning_effort'],
    values: 'all but `low` to `high` for gpt-oss; on Groq `none` and `default` for Qwen; others refuse all',
    models: 'Groq, Cerebras',
    source: 'Groq: Reasoning; Cerebras: Reasoning',
    sample: 'minimal',
    refuses: ({ provider, model }, { value }) =>
      (provider === 'groq' || provider === 'cerebras') && !openEfforts(provider, model).has(value),
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
  {
    parameters: ['store'],
    values: '`true`',
    models: 'Gemini behind OpenAI’s API',
    source: 'Google: the API’s own refusal ("Unknown name")',
    sample: true,
    refuses: ({ provider }, { value }) => provider === 'google' && value === true,
  },
  {
    parameters: ['presence_penalty', 'frequency_penalty'],
    values: 'all but 0',
    models: 'Gemini from 2.5 behind OpenAI’s API',
    source: 'Google: the API’s own refusal ("Penalty is not enabled for this model")',
    sample: 0.5,
    refuses: ({ provider, gemini }, { value }) => provider === 'google' && gemini.version >= 25 && value !== 0,
  },
  {
    parameters: ['reasoning_effort'],
    values: '`xhigh`, `max`; `none` where thinking cannot be turned off; all before 2.5',
    models: 'Gemini behind OpenAI’s API',
    source: 'Google: OpenAI compatibility, "Thinking"',
    sample: 'xhigh',
    refuses: ({ provider, gemini }, { value }) =>
      provider === 'google' &&
      gemini.version > 0 &&
      (gemini.thinking === 'none' || value === 'xhigh' || value === 'max' || (value === 'none' && !gemini.thinkingOff)),
  },
];

const rules: readonly ParameterRule[] = [...samplingRules, ...thinkingRules, ...serviceRules, ...toolRules, ...compatibleRules];

/** Providers whose documentation has max_tokens alone: Mistral refuses the other name, and DeepSeek would not know it: the limit would be lost. */
const ownLimit: ReadonlySet<string> = new Set(['mistral', 'deepseek']);

/** The name that a model requires for the limit on its answer; null if it accepts either. */
function limitName({ provider, openai }: AskedModel): 'max_tokens' | 'max_completion_tokens' | null {
  if (ownLimit.has(provider)) return 'max_tokens';
  return openai.reasoning ? 'max_completion_tokens' : null;
}

/** The parameters that models of OpenAI and of compatible providers refuse. */
export const openaiParameters: ParameterTable = { title: 'OpenAI’s API, and those that are compatible with it', rules, limitName };
