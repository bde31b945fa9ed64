import { createHash } from 'node:crypto';
import type { Conversation, Part } from './conversation.ts';

/** An API's rule for tool names; from its documentation on tools. */
export interface NameRule {
  readonly first: RegExp;
  /** Characters that are not allowed in a name. */
  readonly bad: RegExp;
  readonly length: number;
}

/** Letters, digits, underscores and hyphens, at most 64. */
export const plainNames: NameRule = { first: /^[a-zA-Z0-9_-]/, bad: /[^a-zA-Z0-9_-]/g, length: 64 };

const digestDigits = 8;

export interface FittedNames {
  readonly conversation: Conversation;
  /** The app's names by the names that were written; empty if all fit. */
  readonly names: ReadonlyMap<string, string>;
}

/** Gives every tool a name that the target accepts, everywhere in the conversation. No two tools get the same one. */
export function fitToolNames(conversation: Conversation, rule: NameRule): FittedNames {
  const written = new Map<string, string>();
  const names = new Map<string, string>();
  const taken = new Set(conversation.tools.map(({ name }) => name));
  const fit = (name: string): string => {
    const known = written.get(name);
    if (known !== undefined) return known;
    const fitting = fitName(name, rule, taken);
    written.set(name, fitting);
    if (fitting !== name) names.set(fitting, name);
    taken.add(fitting);
    return fitting;
  };
  const tools = conversation.tools.map((tool) => ({ ...tool, name: fit(tool.name) }));
  const part = (one: Part): Part => (one.kind === 'call' ? { ...one, name: fit(one.name) } : one);
  const turns = conversation.turns.map((turn) =>
    turn.parts.some(({ kind }) => kind === 'call') ? { ...turn, parts: turn.parts.map(part) } : turn,
  );
  if (names.size === 0) return { conversation, names };
  const { toolChoice } = conversation;
  const choice =
    toolChoice?.kind === 'tool'
      ? { ...toolChoice, name: fit(toolChoice.name) }
      : toolChoice?.kind === 'allowed'
        ? { ...toolChoice, names: toolChoice.names.map(fit) }
        : toolChoice;
  return { conversation: { ...conversation, tools, turns, toolChoice: choice }, names };
}

function fitName(name: string, { first, bad, length }: NameRule, taken: ReadonlySet<string>): string {
  const clean = name.replaceAll(bad, '_');
  const begun = first.test(clean) ? clean : `_${clean}`;
  if (begun === name && name.length <= length) return name;
  if (begun.length <= length && !taken.has(begun)) return begun;
  // If the name was cut or is already used, a digest of the original makes it unique.
  const digest = createHash('sha256').update(name).digest('hex').slice(0, digestDigits);
  return `${begun.slice(0, length - digestDigits - 1)}_${digest}`;
}
