import type { Asked } from '../shape/asked.ts';
import { effortTokens } from '../shape/types.ts';

const levelName = 'thinkingConfig.thinkingLevel';
const budgetName = 'thinkingConfig.thinkingBudget';
const inConfig = 'generationConfig.';

/** Applies a policy's caps to a request in Gemini's API. */
export function shapeGemini(asked: Asked): void {
  const { shape, exchange } = asked;
  const most = shape.maxOutputTokens;
  if (most !== null && (exchange.maxOutputTokens === null || exchange.maxOutputTokens > most))
    asked.change('maxOutputTokens', `${inConfig}maxOutputTokens`, most, exchange.maxOutputTokens);
  if (shape.reasoning !== null || shape.thinkingTokens !== null) capThinking(asked);
  if (shape.serviceTier !== null) preferFlex(asked);
}

function capThinking(asked: Asked): void {
  const { shape, models, translated } = asked;
  const part = shape.thinkingTokens === null ? 'reasoning' : 'thinkingTokens';
  const level = asked.said(levelName);
  // Models of the third generation use the highest level unless a level is set.
  const newest = !translated && models.length > 0 && models.every(({ gemini }) => gemini.version >= 30);
  if (typeof level === 'string' || (newest && asked.said(budgetName) === undefined)) {
    if (shape.thinkingTokens !== null) asked.leave('thinkingTokens', 'no-place');
    if (shape.reasoning !== null) capLevel(asked, typeof level === 'string' ? level : null);
    return;
  }
  const most = Math.min(shape.thinkingTokens ?? Infinity, shape.reasoning === null ? Infinity : effortTokens[shape.reasoning]);
  const said = asked.said(budgetName);
  // -1 lets the model choose; without a value, models of 2.5 except Flash-Lite do the same.
  const dynamic =
    said === -1 ||
    (said === undefined &&
      !translated &&
      models.length > 0 &&
      models.every(({ gemini, model }) => gemini.version === 25 && !model.includes('flash-lite')));
  if (!dynamic && typeof said !== 'number') {
    asked.leave(part, 'not-said');
  } else if (dynamic || Number(said) > most) {
    if (asked.taken(budgetName, most)) asked.change(part, inConfig + budgetName, most, said ?? null);
    else asked.leave(part, 'not-taken');
  }
}

function capLevel(asked: Asked, said: string | null): void {
  const from = said?.toLowerCase() ?? 'high';
  if (!asked.above(from)) return;
  const to = asked.effort(levelName, from, ['minimal', 'low', 'medium', 'high']);
  if (to === null) asked.leave('reasoning', 'not-taken');
  else asked.change('reasoning', inConfig + levelName, said !== null && said === said.toUpperCase() ? to.toUpperCase() : to, said);
}

function preferFlex(asked: Asked): void {
  const said = asked.said('serviceTier');
  if (typeof said === 'string' && said.toLowerCase() === 'flex') return;
  const takes =
    !asked.translated &&
    asked.models.length > 0 &&
    asked.models.every(({ provider }) => provider === 'google') &&
    asked.taken('serviceTier', 'flex');
  if (takes) asked.change('serviceTier', 'serviceTier', 'flex', said ?? null);
  else asked.leave('serviceTier', 'not-taken');
}
