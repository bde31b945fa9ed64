import type { Asked } from '../shape/asked.ts';
import { effortTokens } from '../shape/types.ts';

/** Anthropic's minimum thinking budget, tokens. */
const leastThinking = 1_024;

/** Applies a policy's caps to a request in Anthropic's API. */
export function shapeAnthropic(asked: Asked): void {
  const { shape } = asked;
  const said = asked.said('thinking.budget_tokens');
  const before = asked.said('thinking.type') === 'enabled' && typeof said === 'number' ? said : null;
  let budget = before;
  if (shape.thinkingTokens !== null) {
    if (budget === null) asked.leave('thinkingTokens', 'not-said');
    else budget = Math.min(budget, Math.max(leastThinking, shape.thinkingTokens));
  }
  if (shape.reasoning !== null) budget = capEffort(asked, budget);
  if (shape.maxOutputTokens !== null) budget = capOutput(asked, budget, shape.maxOutputTokens);
  if (budget !== null && before !== null && budget < before)
    asked.change(
      shape.thinkingTokens !== null ? 'thinkingTokens' : shape.reasoning !== null ? 'reasoning' : 'maxOutputTokens',
      'thinking.budget_tokens',
      budget,
      before,
    );
  if (shape.serviceTier !== null) asked.leave('serviceTier', 'no-place');
}

/** Caps the effort if the request sets one or uses adaptive thinking; otherwise the budget that it sets. */
function capEffort(asked: Asked, budget: number | null): number | null {
  const name = 'output_config.effort';
  const said = asked.said(name);
  const from = typeof said === 'string' ? said : thinksUnasked(asked) && !asked.translated ? 'high' : null;
  if (from !== null && asked.above(from)) {
    const to = asked.effort(name, from, ['low', 'medium', 'high', 'xhigh', 'max']);
    if (to === null) asked.leave('reasoning', 'not-taken');
    else asked.change('reasoning', name, to, said ?? null);
  } else if (from === null && budget === null) {
    asked.leave('reasoning', 'not-said');
  }
  return budget === null || asked.shape.reasoning === null ? budget : Math.min(budget, effortTokens[asked.shape.reasoning]);
}

/** Whether the model thinks with its own effort, which is high: it was asked to think as it sees fit, or was not asked and thinks by default. */
function thinksUnasked(asked: Asked): boolean {
  const type = asked.said('thinking.type');
  if (type !== undefined) return type === 'adaptive';
  return (
    asked.models.length > 0 &&
    asked.models.every(({ anthropic: { version, thinking } }) => version !== null && (thinking === 'on' || thinking === 'always'))
  );
}

/** The limit must leave room for thinking and for the answer. */
function capOutput(asked: Asked, budget: number | null, most: number): number | null {
  const { maxOutputTokens } = asked.exchange;
  if (maxOutputTokens !== null && maxOutputTokens <= most) return budget;
  if (budget !== null && most < 2 * leastThinking) {
    asked.leave('maxOutputTokens', 'no-place');
    return budget;
  }
  asked.change('maxOutputTokens', 'max_tokens', most, maxOutputTokens);
  return budget === null ? null : Math.min(budget, Math.floor(most / 2));
}
