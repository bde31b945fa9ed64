/**
 * What a model's API takes, as far as it can be told from the model's name. A name that says nothing (an alias, a deployment) gets the
 * answer that is least likely to be refused by the provider.
 */

export interface AnthropicTraits {
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

/** From the models' migration guides; see docs/translation.md. */
export function anthropicTraits(model: string): AnthropicTraits {
  const match = claude.exec(model);
  if (match === null) {
    const own = model.includes('claude');
    // Other models behind Anthropic's API take what the API took first; an unknown Claude is taken for the newest.
    return own
      ? { sampling: false, bothSamplers: false, prefill: false, forcedTool: false, systemTurns: false, schemaOutput: true, thinking: 'always', effort: 'high', maxTokens: 8_192 }
      : { sampling: true, bothSamplers: true, prefill: true, forcedTool: true, systemTurns: false, schemaOutput: false, thinking: 'none', effort: 'none', maxTokens: 8_192 };
  }
  const family = match[1] ?? match[6] ?? '';
  // 47 is version 4.7: whole numbers compare exactly.
  const version = Number(match[2] ?? match[4]) * 10 + Number(match[3] ?? match[5] ?? 0);
  const opus = family === 'opus';
  const newest = family === 'fable' || family === 'mythos';
  const always = newest || version >= 55;
  const thinking = always ? 'always' : version >= 50 ? 'on' : family !== 'haiku' && version >= 46 ? 'adaptive' : version >= 37 ? 'budget' : 'none';
  const effort = newest || version >= 50 || (opus && version >= 47) ? 'xhigh' : family !== 'haiku' && version >= 46 ? 'max' : opus && version >= 45 ? 'high' : 'none';
  return {
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
  /** Thinks before it answers: reasoning_effort is taken; sampling, penalties and stop are not. */
  readonly reasoning: boolean;
  /** Takes reasoning_effort `none`, which turns thinking off (and then takes sampling). */
  readonly reasoningOff: boolean;
  /** Takes reasoning_effort `xhigh`. */
  readonly xhigh: boolean;
  /** The limit is called max_completion_tokens; compatible providers keep to max_tokens. */
  readonly completionLimit: boolean;
}

export function openaiTraits(model: string): OpenAiTraits {
  const gpt = /(?:^|\/)gpt-(\d+)(?:\.(\d+))?/.exec(model);
  const version = gpt === null ? 0 : Number(gpt[1]) * 10 + Number(gpt[2] ?? 0);
  const chat = /-chat(?:-|$)/.test(model);
  const series = /(?:^|\/)o\d/.test(model);
  return {
    reasoning: series || (version >= 50 && !chat),
    reasoningOff: version >= 51 && !chat,
    xhigh: version >= 52 && !chat,
    completionLimit: series || gpt !== null || /(?:^|\/)chatgpt-/.test(model),
  };
}

export interface GeminiTraits {
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
    thinking: version >= 30 ? 'level' : version >= 25 ? 'budget' : 'none',
    thinkingOff: version >= 25 && version < 30 && model.includes('flash'),
    signatures: version >= 30,
    resultMedia: version >= 30,
  };
}

/** The thought signature that Google documents for calls which its model did not make. */
export const foreignSignature = 'skip_thought_signature_validator';
