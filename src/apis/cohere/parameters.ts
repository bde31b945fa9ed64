import type { AskedModel, ParameterRule, ParameterTable } from '../common/parameter-types.ts';
import type { Asked } from '../shape/asked.ts';
import { effortTokens } from '../shape/types.ts';

const reference = 'Cohere: Chat API reference, v2';

/** Whether a model thinks before it answers, by its name. */
export function thinks(model: string): boolean {
  return /reasoning/.test(model);
}

/** The first Command R models: their names have no date or one before August 2024. */
const first = ({ model }: AskedModel): boolean => /^command-r(?:-plus)?(?:-0[34]-2024)?$/.test(model);

const rules: readonly ParameterRule[] = [
  {
    parameters: ['thinking.type'],
    values: '`enabled`',
    models: 'all but the reasoning ones',
    source: reference,
    sample: 'enabled',
    refuses: ({ model }, { value }) => value === 'enabled' && model.startsWith('command') && !thinks(model),
  },
  {
    parameters: ['tool_choice'],
    values: 'all',
    models: 'before Command R7B',
    source: reference,
    sample: 'REQUIRED',
    refuses: ({ model }) => /^command-r(?:-plus)?(?:-\d\d-2024)?$/.test(model),
  },
  { parameters: ['safety_mode'], values: 'all', models: 'before August 2024', source: reference, sample: 'STRICT', refuses: first },
  {
    parameters: ['safety_mode'],
    values: '`OFF`',
    models: 'Command R7B and later',
    source: reference,
    sample: 'OFF',
    refuses: ({ model }, { value }) => value === 'OFF' && /^command-(?:r7b|a)/.test(model),
  },
];

/** The parameters that Cohere's models refuse. */
export const cohereParameters: ParameterTable = { title: 'Cohere’s API', rules, limitName: null };

/** Applies a policy's caps to a chat: the limits of the answer and of thinking. Cohere has no thinking levels and no service tiers. */
export function shapeCohere(asked: Asked): void {
  const { shape, exchange } = asked;
  const most = shape.maxOutputTokens;
  if (most !== null && (exchange.maxOutputTokens === null || exchange.maxOutputTokens > most))
    asked.change('maxOutputTokens', 'max_tokens', most, exchange.maxOutputTokens);
  capThinking(asked);
  if (shape.serviceTier !== null) asked.leave('serviceTier', 'no-place');
}

/** Thinking has a budget only where the app turns it on: the budget cannot be set without. */
function capThinking(asked: Asked): void {
  const { shape } = asked;
  if (shape.reasoning === null && shape.thinkingTokens === null) return;
  const part = shape.thinkingTokens === null ? 'reasoning' : 'thinkingTokens';
  const most = Math.min(shape.thinkingTokens ?? Infinity, shape.reasoning === null ? Infinity : effortTokens[shape.reasoning]);
  const said = asked.said('thinking.token_budget');
  if (asked.said('thinking.type') !== 'enabled') asked.leave(part, 'not-said');
  else if (typeof said !== 'number' || said > most) asked.change(part, 'thinking.token_budget', most, said ?? null);
}
