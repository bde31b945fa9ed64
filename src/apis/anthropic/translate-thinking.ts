import type { Conversation, Effort } from '../common/conversation.ts';
import type { JsonObject } from '../common/json.ts';
import type { Losses } from '../common/losses.ts';
import type { AnthropicTraits } from '../common/models.ts';

export interface WrittenThinking {
  readonly thinking: JsonObject | null;
  readonly outputConfig: JsonObject;
  /** True if the request turns thinking on, which excludes other parameters. */
  readonly thinks: boolean;
}

const unsaid: WrittenThinking = { thinking: null, outputConfig: {}, thinks: false };

/** Anthropic's minimum thinking budget, tokens. */
const leastBudget = 1_024;

/** The budgets that Google documents for OpenAI's levels, tokens: the only published table of this kind. */
export const effortBudgets: Readonly<Record<Effort, number>> = {
  minimal: 1_024,
  low: 1_024,
  medium: 8_192,
  high: 24_576,
  xhigh: 24_576,
  max: 24_576,
};

/** The highest level whose budget does not exceed the tokens. */
export function effortOfBudget(tokens: number): Effort {
  if (tokens >= effortBudgets.high) return 'high';
  return tokens >= effortBudgets.medium ? 'medium' : 'low';
}

/** Thinking and effort, in the form that the model accepts. */
export function writeAnthropicThinking(
  conversation: Conversation,
  traits: AnthropicTraits,
  maxTokens: number,
  forced: boolean,
  losses: Losses,
): WrittenThinking {
  const { reasoning } = conversation;
  if (reasoning === null) return unsaid;
  if (reasoning.kind === 'off') {
    if (traits.thinking === 'always') {
      losses.lose(reasoning.at, 'the model cannot be kept from thinking');
      return unsaid;
    }
    return traits.thinking === 'on' ? { thinking: { type: 'disabled' }, outputConfig: {}, thinks: false } : unsaid;
  }
  if (traits.thinking === 'none') {
    losses.lose(reasoning.at, 'the model does not think');
    return unsaid;
  }
  if (forced && traits.thinking !== 'always') {
    losses.lose(reasoning.at, 'Anthropic does not think where a tool has to be called');
    return unsaid;
  }
  const effort = reasoning.kind === 'effort' ? reasoning.effort : effortOfBudget(reasoning.tokens);
  if (traits.thinking !== 'budget') {
    return { thinking: { type: 'adaptive' }, outputConfig: { effort: effortName(effort, traits) }, thinks: true };
  }
  const wanted = reasoning.kind === 'budget' ? reasoning.tokens : effortBudgets[effort];
  // Thinking counts towards max_tokens: half of it is left for the answer.
  const budget = Math.min(wanted, Math.floor(maxTokens / 2));
  if (budget < leastBudget) {
    losses.lose(reasoning.at, `max_tokens leaves no room for the ${leastBudget} tokens that thinking takes at least`);
    return unsaid;
  }
  if (continuesCall(conversation)) {
    losses.lose(reasoning.at, "in the middle of a tool call the model wants the thoughts that led to it, and they were another model's");
    return unsaid;
  }
  return {
    thinking: { type: 'enabled', budget_tokens: budget },
    outputConfig: traits.effort === 'none' ? {} : { effort: effortName(effort, traits) },
    thinks: true,
  };
}

/** The last turn has a tool result, so the assistant's turn continues. */
function continuesCall(conversation: Conversation): boolean {
  return conversation.turns.at(-1)?.parts.some((part) => part.kind === 'result') ?? false;
}

function effortName(effort: Effort, traits: AnthropicTraits): string {
  switch (effort) {
    case 'minimal':
    case 'low':
      return 'low';
    case 'medium':
    case 'high':
      return effort;
    case 'xhigh':
      return traits.effort === 'xhigh' ? 'xhigh' : 'high';
    case 'max':
      return traits.effort === 'high' ? 'high' : 'max';
  }
}
