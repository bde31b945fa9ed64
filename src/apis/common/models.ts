/**
 * What a model accepts, as far as its name shows. A name without information (an alias, a deployment) gets the answer that the provider is
 * least likely to refuse.
 */

export interface AnthropicTraits {
  /** 47 for version 4.7; null if the name is not a Claude with a version. */
  readonly version: number | null;
  /** `opus`, `sonnet`, `haiku` …; empty if the name does not contain it. */
  readonly family: string;
  /** Accepts temperature, top_p and top_k: removed since Opus 4.7 and the fifth generation. */
  readonly sampling: boolean;
  /** Accepts temperature together with top_p: refused since Claude 4.1. */
  readonly bothSamplers: boolean;
  /** Accepts an assistant turn at the end that the answer continues. */
  readonly prefill: boolean;
  /** tool_choice `any` or `tool`. */
  readonly forcedTool: boolean;
  /** Accepts system messages between the turns. */
  readonly systemTurns: boolean;
  /** output_config.format. */
  readonly schemaOutput: boolean;
  /**
   * `none`: does not think; `budget`: thinking.budget_tokens; `adaptive`: on request, off by default; `on`: on by default, can be turned
   * off; `always`.
   */
  readonly thinking: 'none' | 'budget' | 'adaptive' | 'on' | 'always';
  /** Whether it accepts output_config.effort, and the highest level. */
  readonly effort: 'none' | 'high' | 'max' | 'xhigh';
  /** The max_tokens to send when the caller gives no limit, tokens. */
  readonly maxTokens: number;
}

const claude = /claude-(?:(opus|sonnet|haiku|fable|mythos)-(\d)(?:-(\d))?(?!\d)|(\d)(?:-(\d))?-(opus|sonnet|haiku))/;

/** An unknown Claude is treated as the newest. */
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

/** Other models behind Anthropic's API accept what the API's first version accepted. */
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
  /** 41 for gpt-4.1; 0 if it is not a GPT model. */
  readonly version: number;
  /** `mini`, `nano`, `pro`, `codex`, `chat` and others after the version; empty for the model itself. */
  readonly kind: string;
  /** The name is one of OpenAI's. */
  readonly own: boolean;
  /** One of the series o1, o3, o4. */
  readonly series: boolean;
  /** Thinks before it answers: accepts reasoning_effort; refuses sampling, penalties and stop. */
  readonly reasoning: boolean;
  /** Accepts reasoning_effort `none`, which turns thinking off (it then accepts sampling). */
  readonly reasoningOff: boolean;
  /** Accepts reasoning_effort `xhigh`. */
  readonly xhigh: boolean;
  /** The values of reasoning_effort that it accepts. */
  readonly efforts: readonly string[];
  /** It thinks although the request does not ask for it. */
  readonly thinksByDefault: boolean;
  /**
   * Functions in chat completions: `any`; `unsaid`: not beside an effort other than `none`; `off`: only beside the effort `none`; `never`:
   * in the Responses API alone.
   */
  readonly chatTools: 'any' | 'unsaid' | 'off' | 'never';
  /** Its limit is max_completion_tokens; compatible providers still use max_tokens. */
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
    thinksByDefault: reasoning && (version < 51 || version >= 55 || /^(?:pro|codex)/.test(kind)),
    chatTools: reasoning ? chatTools(version, kind) : 'any',
    completionLimit: series || gpt !== null || /(?:^|\/)chatgpt-/.test(model),
  };
}

function efforts(model: string, version: number, kind: string, series: boolean): readonly string[] {
  if (series) return /o1-(?:mini|preview)/.test(model) ? [] : ['low', 'medium', 'high'];
  if (/^pro/.test(kind)) return version < 52 ? ['high'] : ['medium', 'high', 'xhigh'];
  if (/^codex/.test(kind)) return version >= 52 || kind === 'codex-max' ? ['low', 'medium', 'high', 'xhigh'] : ['low', 'medium', 'high'];
  if (version < 51) return ['minimal', 'low', 'medium', 'high'];
  if (version < 52) return ['none', 'low', 'medium', 'high'];
  return ['none', 'low', 'medium', 'high', 'xhigh', ...(version < 56 ? [] : ['max'])];
}

function chatTools(version: number, kind: string): OpenAiTraits['chatTools'] {
  if (version < 54) return 'any';
  if (version < 56) return 'unsaid';
  return version > 60 || kind.startsWith('astra') ? 'never' : 'off';
}

export interface GeminiTraits {
  /** 25 for Gemini 2.5; 0 if the name is not a Gemini with a version. */
  readonly version: number;
  /** `level`: thinkingConfig.thinkingLevel; `budget`: thinkingBudget; `none`: does not think. */
  readonly thinking: 'level' | 'budget' | 'none';
  /** Thinking can be turned off with a budget of 0. */
  readonly thinkingOff: boolean;
  /** Calls in the history need a thought signature; for calls from other models it is a value that skips the check. */
  readonly signatures: boolean;
  /** Accepts pictures inside a tool's result. */
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

/** The thought signature that Google documents for calls that its model did not make. */
export const foreignSignature = 'skip_thought_signature_validator';

const searching = /(?:^|[-/])(?:search-preview|search-api|sonar|compound|deep-research)(?:$|[-@])|:online$/;

/** Whether a model searches for every request, and bills that in addition to its tokens: by the providers' names of such models. */
export function searchesByItself(model: string): boolean {
  return searching.test(model);
}
