import type { AskedModel, ParameterRule, ParameterTable } from '../common/parameter-types.ts';

const thinkingPage = 'Google: Gemini thinking';

/** Highest thinkingBudget, tokens. */
const flashBudget = 24_576;
const proBudget = 32_768;

/** The values of thinkingLevel that a model accepts. */
function levels({ gemini, model }: AskedModel): readonly string[] {
  if (gemini.thinking !== 'level') return [];
  if (model.includes('flash')) return ['minimal', 'low', 'medium', 'high'];
  return gemini.version >= 31 ? ['low', 'medium', 'high'] : ['low', 'high'];
}

function budgetRefused({ gemini, model }: AskedModel, tokens: number): boolean {
  if (gemini.thinking === 'none') return gemini.version > 0;
  if (tokens < 0) return false;
  if (tokens === 0) return !gemini.thinkingOff;
  if (tokens > (model.includes('flash') ? flashBudget : proBudget)) return true;
  return gemini.version === 25 && tokens < (model.includes('flash-lite') ? 512 : model.includes('pro') ? 128 : 1);
}

function takesTool(type: string, { gemini: { version }, model }: AskedModel): boolean {
  switch (type) {
    // The app's own functions: combinations with other tools are checked below.
    case 'functionDeclarations':
      return true;
    case 'googleSearch':
    case 'codeExecution':
      return version >= 20;
    case 'googleSearchRetrieval':
      return version === 15;
    case 'urlContext':
    case 'googleMaps':
    case 'fileSearch':
      return version >= 25;
    case 'computerUse':
      return model.includes('computer-use') || (version >= 30 && !model.includes('lite'));
    default:
      return false;
  }
}

const rules: readonly ParameterRule[] = [
  {
    parameters: ['thinkingConfig.thinkingLevel'],
    values: 'levels that the model has not',
    models: 'before 3; Pro has no `minimal`, 3 Pro no `medium`',
    source: thinkingPage,
    sample: 'low',
    refuses: (asked, { value }) => typeof value === 'string' && !levels(asked).includes(value.toLowerCase()),
  },
  {
    parameters: ['thinkingConfig.thinkingBudget'],
    values: 'outside the model’s range',
    models: 'before 2.5 all; Pro takes 128 to 32,768, Flash up to 24,576, Flash-Lite from 512; 0 only Flash of 2.5',
    source: thinkingPage,
    sample: 0,
    refuses: (asked, { value }) => typeof value === 'number' && budgetRefused(asked, value),
  },
  {
    parameters: ['tools.*'],
    values: 'tools that Google runs',
    models: 'those whose page of the tool does not list them',
    source: 'Google: the tools’ pages, "Supported models"',
    sample: true,
    refuses: (asked, { name }) => !takesTool(name.slice('tools.'.length), asked),
  },
  {
    parameters: ['tools.functionDeclarations'],
    values: 'all, beside a tool that Google runs',
    models: 'before 3',
    source: 'Google: Combine built-in tools and function calling',
    sample: null,
    refuses: ({ gemini }, _parameter, request) =>
      gemini.version < 30 && request.some(({ name }) => name.startsWith('tools.') && name !== 'tools.functionDeclarations'),
  },
  {
    parameters: ['responseMimeType'],
    values: '`application/json`, beside tools',
    models: 'before 3',
    source: 'Google: Structured output, "Structured outputs with tools"',
    sample: null,
    refuses: ({ gemini }, _parameter, request) => gemini.version < 30 && request.some(({ name }) => name.startsWith('tools.')),
  },
  {
    parameters: ['parts.mediaResolution'],
    values: 'all',
    models: 'before 3',
    source: 'Google: Media resolution, "Per part"',
    sample: null,
    refuses: ({ gemini }) => gemini.version < 30,
  },
  {
    parameters: ['cachedContent'],
    values: 'all',
    models: 'every model but the one that it was made for',
    source: 'Google: Context caching',
    sample: null,
    refuses: () => true,
  },
  {
    parameters: ['presencePenalty', 'frequencyPenalty'],
    values: 'all but 0',
    models: 'from 2.5',
    source: 'Google: the API’s own refusal ("Penalty is not enabled for this model")',
    sample: 0.5,
    refuses: ({ gemini }, { value }) => gemini.version >= 25 && value !== 0,
  },
  {
    parameters: ['responseLogprobs', 'logprobs'],
    values: 'all but false',
    models: 'all but 2.0 Flash and 2.5 Flash',
    source: 'Google: the API’s own refusal ("Logprobs is not enabled for this model")',
    sample: true,
    refuses: ({ model }, { value }) => value !== false && !/gemini-2\.[05]-flash(?:-0|$)/.test(model),
  },
  {
    parameters: ['speechConfig', 'imageConfig', 'responseModalities'],
    values: 'all',
    models: 'those that write words only',
    source: 'Google: Speech generation; Image generation',
    sample: null,
    refuses: ({ model }) => !/tts|image|native-audio/.test(model),
  },
  {
    parameters: ['serviceTier'],
    values: '`flex`, `priority`',
    models: 'before 2.5',
    source: 'Google: Flex and priority inference',
    sample: 'flex',
    refuses: ({ gemini }, { value }) => gemini.version < 25 && (value === 'flex' || value === 'priority'),
  },
];

/** The parameters that Gemini refuses. */
export const geminiParameters: ParameterTable = { title: 'Gemini’s API', rules, limitName: null };
