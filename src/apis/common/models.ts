/**
 * What a model's API takes, as far as it can be told from the model's name. A name that says nothing (an alias, a deployment) gets the
 * answer that is least likely to be refused by the provider.
 */

export interface AnthropicTraits {
  /** 47 for version 4.7; null: no Claude whose name says it. */
  readonly version: number | null;
  /** `opus`, `sonnet`, `haiku` …; empty where the name does not say it. */
  readonly family: string;
  /** temperature, top_p and top_k: gone since Opus 4.7 and the fifth generation. */
  readonly sampling: boolean;
  /** temperature together with top_p: refused since Claude 4.1. */
  readonly bothSamplers: boolean;
  /** A last turn of the assistant that the answer continues. */
  readonly prefill: boolean;
  /** tool_choice `any` or `tool`. */
  readonly forcedTool: boolean;
  /** System messages between the turns. */
  readonly systemTurns: boolean;
  /** output_config.format. */
  readonly schemaOutput: boolean;
  /** `none`: does not think; `budget`: thinking.budget_tokens; `adaptive`: asked for, off by itself; `on`: on by itself, can be turned off; `always`. */
  readonly thinking: 'none' | 'budget' | 'adaptive' | 'on' | 'always';
  /** output_config.effort, and the highest level. */
  readonly effort: 'none' | 'high' | 'max' | 'xhigh';
  /** What max_tokens is when the caller gives no limit, tokens. */
  readonly maxTokens: number;
}

const claude = /claude-(?:(opus|sonnet|haiku|fable|mythos)-(\d)(?:-(\d))?(?!\d)|(\d)(?:-(\d))?-(opus|sonnet|haiku))/;

/** An unknown Claude is taken for the newest. */
const unknownClaude: AnthropicTraits = {
  version: null,
  family: '',
  sampling: false,
  bothSamplers: false,
  prefill: false,
  forcedTool: false,
  systemTurns: false,
  schemaOutput: true,
  thinking: 'always',
  effort: 'high',
  maxTokens: 8_192,
};

/** Other models behind Anthropic's API take what the API took first. */
const behindItsApi: AnthropicTraits = {
  version: null,
  family: '',
  sampling: true,
  bothSamplers: true,
  prefill: true,
  forcedTool: true,
  systemTurns: false,
  schemaOutput: false,
  thinking: 'none',
  effort: 'none',
  maxTokens: 8_192,
};

/** From the models' migration guides; see docs/translation.md. */
export function anthropicTraits(model: string): AnthropicTraits {
  const match = claude.exec(model);
  if (match === null) return model.includes('claude') ? unknownClaude : behindItsApi;
  const family = match[1] ?? match[6] ?? '';
  // 47 is version 4.7: whole numbers compare exactly.
  const version = Number(match[2] ?? match[4]) * 10 + Number(match[3] ?? match[5] ?? 0);
  const opus = family === 'opus';
  const newest = family === 'fable' || family === 'mythos';
  const always = newest || version >= 55;
  const thinking = always
    ? 'always'
    : version >= 50
      ? 'on'
      : family !== 'haiku' && version >= 46
        ? 'adaptive'
        : version >= 37
          ? 'budget'
          : 'none';
  const effort =
    newest || version >= 50 || (opus && version >= 47)
      ? 'xhigh'
      : family !== 'haiku' && version >= 46
        ? 'max'
        : opus && version >= 45
          ? 'high'
          : 'none';
  return {
    version,
    family,
    sampling: !newest && version < (opus ? 47 : 50),
    bothSamplers: version < 41,
    prefill: version < 46,
    forcedTool: newest ? version < 51 : version < 55,
    systemTurns: newest || version >= 55 || (opus && version >= 48),
    schemaOutput: version >= 45 || (opus && version >= 41),
    thinking,
    effort,
    maxTokens: version < 35 ? 4_096 : version < 37 ? 8_192 : 32_000,
  };
}

export interface OpenAiTraits {
  /** 41 for gpt-4.1; 0: no model of the GPT series. */
  readonly version: number;
  /** `mini`, `nano`, `pro`, `codex`, `chat` and others that follow the version; empty: the model itself. */
  readonly kind: string;
  /** A model whose name OpenAI gave. */
  readonly own: boolean;
  /** Of the series o1, o3, o4. */
  readonly series: boolean;
  /** Thinks before it answers: reasoning_effort is taken; sampling, penalties and stop are not. */
  readonly reasoning: boolean;
  /** Takes reasoning_effort `none`, which turns thinking off (and then takes sampling). */
  readonly reasoningOff: boolean;
  /** Takes reasoning_effort `xhigh`. */
  readonly xhigh: boolean;
  /** Values of reasoning_effort that it takes. */
  readonly efforts: readonly string[];
  /** The limit is called max_completion_tokens; compatible providers keep to max_tokens. */
  readonly completionLimit: boolean;
}

/** From the models' pages and the guides to reasoning and to each generation; see docs/parameters.md. */
export function openaiTraits(model: string): OpenAiTraits {
  const gpt = /(?:^|\/)gpt-(\d+)(?:\.(\d+))?(o)?(?:-(.*))?/.exec(model);
  const version = gpt === null ? 0 : Number(gpt[1]) * 10 + Number(gpt[2] ?? 0);
  const kind = (gpt?.[4] ?? '').replace(/-?\d{4}-\d{2}-\d{2}$|-?\d{4}$|-?preview$/, '');
  const chat = /-chat(?:-|$)/.test(model);
  const series = /(?:^|\/)o\d/.test(model);
  const reasoning = series || (version >= 50 && !chat);
  return {
    version,
    kind,
    own: gpt !== null || series || /(?:^|\/)(?:chatgpt-|codex-|computer-use-)/.test(model),
    series,
    reasoning,
    reasoningOff: version >= 51 && !chat && !/^(?:pro|codex)/.test(kind),
    xhigh: (version >= 52 && !chat) || kind === 'codex-max',
    efforts: reasoning ? efforts(model, version, kind, series) : [],
    completionLimit: series || gpt !== null || /(?:^|\/)chatgpt-/.test(model),
  };
}

function efforts(model: string, version: number, kind: string, series: boolean): readonly string[] {
  if (series) return /o1-(?:mini|preview)/.test(model) ? [] : ['low', 'medium', 'high'];
  if (/^pro/.test(kind)) return version < 52 ? ['high'] : ['medium', 'high', 'xhigh'];
  if (/^codex/.test(kind)) return version >= 52 || kind === 'codex-max' ? ['low', 'medium', 'high', 'xhigh'] : ['low', 'medium', 'high'];
  if (version < 51) return ['minimal', 'low', 'medium', 'high'];
  return version < 52 ? ['none', 'low', 'medium', 'high'] : ['none', 'low', 'medium', 'high', 'xhigh'];
}

export interface GeminiTraits {
  /** 25 for Gemini 2.5; 0: no Gemini whose name says it. */
  readonly version: number;
  /** `level`: thinkingConfig.thinkingLevel; `budget`: thinkingBudget; `none`: does not think. */
  readonly thinking: 'level' | 'budget' | 'none';
  /** Thinking can be turned off with a budget of 0. */
  readonly thinkingOff: boolean;
  /** Calls in the history need a thought signature; a conversation from elsewhere says to skip the check. */
  readonly signatures: boolean;
  /** Pictures inside a tool's result. */
  readonly resultMedia: boolean;
}

export function geminiTraits(model: string): GeminiTraits {
  const match = /gemini-(\d+)(?:\.(\d+))?/.exec(model);
  const version = match === null ? 0 : Number(match[1]) * 10 + Number(match[2] ?? 0);
  return {
    version,
    thinking: version >= 30 ? 'level' : version >= 25 ? 'budget' : 'none',
    thinkingOff: version >= 25 && version < 30 && model.includes('flash'),
    signatures: version >= 30,
    resultMedia: version >= 30,
  };
}

/** The thought signature that Google documents for calls which its model did not make. */
export const foreignSignature = 'skip_thought_signature_validator';

const searching = /(?:^|[-/])(?:search-preview|search-api|sonar|compound|deep-research)(?:$|[-@])/;

/** Whether a model looks things up for every request, and is paid for that beside its tokens: by the names that providers gave such models. */
export function searchesByItself(model: string): boolean {
  return searching.test(model);
}
