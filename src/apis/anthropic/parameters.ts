import type { AskedModel, ParameterRule, ParameterTable } from '../common/parameter-types.ts';

const migration = 'Anthropic: Migration guides of the models';
const thinkingPage = 'Anthropic: Extended thinking; Adaptive thinking';

/** The levels of output_config.effort that a model accepts. */
const levels: Readonly<Record<AskedModel['anthropic']['effort'], readonly string[]>> = {
  none: [],
  high: ['low', 'medium', 'high'],
  max: ['low', 'medium', 'high', 'max'],
  xhigh: ['low', 'medium', 'high', 'xhigh', 'max'],
};

/** Whether a model accepts a tool that Anthropic runs or has trained its models for, by the date in the tool's type. */
function takesTool(type: string, { anthropic: { version, family } }: AskedModel): boolean {
  if (version === null) return false;
  const four = version >= 40;
  const newest = version >= 46 && family !== 'haiku';
  switch (type) {
    case 'web_search_20250305':
      return version >= 35;
    case 'bash_20250124':
      return version >= 37;
    case 'text_editor_20250124':
      return version === 37;
    case 'text_editor_20250429':
    case 'text_editor_20250728':
    case 'memory_20250818':
    case 'code_execution_20250522':
    case 'code_execution_20250825':
    case 'web_fetch_20250910':
    case 'mcp_toolset':
      return four;
    case 'computer_20250124':
      return version >= 37 && version <= 45;
    case 'computer_20251124':
      return newest || (version >= 45 && family === 'opus');
    case 'tool_search_tool_regex_20251119':
    case 'tool_search_tool_bm25_20251119':
    case 'code_execution_20260120':
      return version >= 45 && family !== 'haiku';
    case 'web_search_20260209':
    case 'web_fetch_20260209':
    case 'web_fetch_20260309':
      return newest;
    default:
      return false;
  }
}

/** The rules are for Claude; other models behind Anthropic's API ignore parameters that they do not know. */
const claude = ({ anthropic }: AskedModel): boolean => anthropic.version !== null;

const rules: readonly ParameterRule[] = [
  {
    parameters: ['temperature', 'top_p'],
    values: 'all but 1',
    models: 'Opus from 4.7, all from 5',
    source: migration,
    sample: 0,
    refuses: (asked, { value }) => claude(asked) && !asked.anthropic.sampling && value !== 1,
  },
  {
    parameters: ['top_k'],
    values: 'all',
    models: 'Opus from 4.7, all from 5',
    source: migration,
    sample: 40,
    refuses: (asked) => claude(asked) && !asked.anthropic.sampling,
  },
  {
    parameters: ['top_p'],
    values: 'all, beside `temperature`',
    models: 'from 4.1',
    source: migration,
    sample: 0.5,
    refuses: (asked, _parameter, request) =>
      claude(asked) && !asked.anthropic.bothSamplers && request.some(({ name }) => name === 'temperature'),
  },
  {
    parameters: ['thinking.type'],
    values: '`adaptive`',
    models: 'before 4.6, Haiku before 5',
    source: thinkingPage,
    sample: 'adaptive',
    refuses: (asked, { value }) =>
      claude(asked) && value === 'adaptive' && (asked.anthropic.thinking === 'none' || asked.anthropic.thinking === 'budget'),
  },
  {
    parameters: ['thinking.type'],
    values: '`enabled` with a budget',
    models: 'before 3.7, Opus from 4.7, all from 5',
    source: thinkingPage,
    sample: 'enabled',
    refuses: (asked, { value }) =>
      claude(asked) && value === 'enabled' && (asked.anthropic.thinking === 'none' || !asked.anthropic.sampling),
  },
  {
    parameters: ['thinking.type'],
    values: '`disabled`',
    models: 'those that always think',
    source: thinkingPage,
    sample: 'disabled',
    refuses: (asked, { value }) => claude(asked) && value === 'disabled' && asked.anthropic.thinking === 'always',
  },
  {
    parameters: ['output_config.effort'],
    values: 'levels that the model has not',
    models: 'all but Opus from 4.5 and the others from 4.6; `max` from 4.6, `xhigh` from Opus 4.7 and 5; Haiku before 5 has none',
    source: 'Anthropic: Effort',
    sample: 'low',
    refuses: (asked, { value }) => claude(asked) && typeof value === 'string' && !levels[asked.anthropic.effort].includes(value),
  },
  {
    parameters: ['output_config.task_budget'],
    values: 'all',
    models: 'before 4.7',
    source: 'Anthropic: Task budgets',
    sample: null,
    refuses: (asked) => claude(asked) && asked.anthropic.effort !== 'xhigh',
  },
  {
    parameters: ['messages.prefill'],
    values: 'an answer that is begun',
    models: 'from 4.6',
    source: migration,
    sample: true,
    refuses: (asked) => claude(asked) && !asked.anthropic.prefill,
  },
  {
    parameters: ['messages.system'],
    values: 'a system message between turns',
    models: 'before 5, Opus before 4.8',
    source: 'Anthropic: System prompts',
    sample: true,
    refuses: (asked) => claude(asked) && !asked.anthropic.systemTurns,
  },
  {
    parameters: ['tool_choice'],
    values: '`any`, `tool`',
    models: 'newest ones that always think',
    source: migration,
    sample: 'any',
    refuses: (asked, { value }) => claude(asked) && !asked.anthropic.forcedTool && (value === 'any' || value === 'tool'),
  },
  {
    parameters: ['tools.*'],
    values: 'tools of Anthropic’s own',
    models: 'those whose page of the tool does not list them',
    source: 'Anthropic: the tools’ pages, "Model compatibility"',
    sample: true,
    refuses: (asked, { name }) => !takesTool(name.slice('tools.'.length), asked),
  },
  {
    parameters: ['speed'],
    values: '`fast`',
    models: 'all but Opus from 4.6',
    source: 'Anthropic: Fast mode',
    sample: 'fast',
    refuses: ({ anthropic: { version, family } }, { value }) =>
      value === 'fast' && !(family === 'opus' && version !== null && version >= 46),
  },
  {
    parameters: ['inference_geo'],
    values: 'all',
    models: 'before 4.6',
    source: 'Anthropic: Data residency',
    sample: 'us',
    refuses: ({ anthropic: { version } }) => version === null || version < 46,
  },
  {
    parameters: ['context_management.compact*'],
    values: 'all',
    models: 'before 4.6, Haiku before 5',
    source: 'Anthropic: Compaction',
    sample: true,
    refuses: ({ anthropic: { version, family } }) => version === null || version < 46 || (family === 'haiku' && version < 50),
  },
  {
    parameters: ['context_management.clear*'],
    values: 'all',
    models: 'before 4',
    source: 'Anthropic: Context editing',
    sample: true,
    refuses: ({ anthropic: { version } }) => version === null || version < 40,
  },
  {
    parameters: ['anthropic-beta.context-1m'],
    values: 'the beta of a window of a million tokens',
    models: 'all but Sonnet from 4, and Opus from 4.6',
    source: 'Anthropic: Context windows',
    sample: true,
    refuses: ({ anthropic: { version, family } }) =>
      version === null || version < (family === 'sonnet' ? 40 : family === 'haiku' ? 50 : 46),
  },
  {
    parameters: ['container', 'mcp_servers'],
    values: 'all',
    models: 'before 4',
    source: 'Anthropic: Code execution; MCP connector',
    sample: null,
    refuses: ({ anthropic: { version } }) => version === null || version < 40,
  },
];

/** The parameters that Claude refuses. */
export const anthropicParameters: ParameterTable = { title: 'Anthropic’s API', rules, limitName: null };
