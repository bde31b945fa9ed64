import { apiNames } from '../apis/registry.ts';
import { domains, signalNames, taskTypes, taughtSignal, tiers } from '../classify/types.ts';
import { textTasks } from '../classify/text/heads.ts';
import { meantLabel } from './labels.ts';
import { didYouMean } from './nearest.ts';

/** Variables that have only these values. */
const closed: Readonly<Record<string, readonly string[]>> = {
  'verdict.tier': tiers,
  'verdict.task': taskTypes,
  'verdict.domain': domains,
  'request.api': apiNames,
  'request.operation': ['generate', 'embed', 'count', 'other'],
  'request.jsonOutput': ['none', 'object', 'schema'],
};

/** Maps that have only these keys. */
const keyed: Readonly<Record<string, readonly string[]>> = {
  'verdict.tasks': textTasks,
  'verdict.domains': domains,
  'verdict.signals': signalNames,
};

/** Ranges of numbers; those of a map's values under the map's name. */
export const ranges: Readonly<Record<string, readonly [least: number, most: number]>> = {
  'verdict.score': [0, 1],
  'verdict.confidence': [0, 1],
  'verdict.tasks': [0, 1],
  'verdict.domains': [0, 1],
  // 0: not classified.
  'verdict.level': [0, 5],
};

export interface ValueFault {
  readonly message: string;
  readonly fix: string;
  /** UTF-16 units into the expression. */
  readonly offset: number;
}

interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'op' in value && 'start' in value;

/** `verdict.task` of a member access on a variable, `provider` of a variable; null for anything else. */
function variableOf(value: unknown): string | null {
  if (isNode(value) && value.op === 'id' && typeof value.args === 'string') return value.args;
  if (!isNode(value) || value.op !== '.' || !Array.isArray(value.args)) return null;
  const [of, name] = value.args as [unknown, unknown];
  return isNode(of) && of.op === 'id' && typeof name === 'string' ? `${String(of.args)}.${name}` : null;
}

/**
 * The first comparison of a rule with a value that its variable never has, which cannot be intended; null if there is none. `providers`:
 * the values of `provider`; null if they are not known.
 */
export function valueFault(tree: unknown, providers: readonly string[] | null): ValueFault | null {
  return faultIn(tree, providers === null ? closed : { ...closed, provider: providers });
}

type Known = Readonly<Record<string, readonly string[]>>;

function faultIn(tree: unknown, known: Known): ValueFault | null {
  if (Array.isArray(tree)) {
    for (const part of tree) {
      const fault = faultIn(part, known);
      if (fault !== null) return fault;
    }
    return null;
  }
  if (!isNode(tree)) return null;
  const args = Array.isArray(tree.args) ? (tree.args as unknown[]) : null;
  return (args === null ? null : (compared(tree.op, args, known) ?? patternFault(tree.op, args))) ?? faultIn(tree.args, known);
}

/** `\b` in a plain string is a backspace, which no prompt contains: a pattern with it never matches. */
function patternFault(op: string, args: readonly unknown[]): ValueFault | null {
  const [pattern] = op === 'rcall' && args[0] === 'matches' && Array.isArray(args[2]) ? (args[2] as unknown[]) : [];
  if (!isNode(pattern) || pattern.op !== 'value' || typeof pattern.args !== 'string' || !/[\b\v\f]/.test(pattern.args)) return null;
  return {
    message: 'this pattern holds a control character: in a plain text \\b is a backspace',
    fix: "Write the pattern as r'…', in which a backslash is a backslash.",
    offset: pattern.start,
  };
}

function compared(op: string, args: readonly unknown[], known: Known): ValueFault | null {
  const [left, right] = args;
  const keyFault = wrongKey(op, args);
  if (keyFault !== null) return keyFault;
  const variable = valueOf(left) ?? valueOf(right);
  if (variable === null) return null;
  const other = valueOf(left) === null ? left : right;
  if (op === 'in' && isNode(other) && other.op === 'list' && Array.isArray(other.args)) {
    for (const item of other.args as unknown[]) {
      const fault = textFault(known, variable, item);
      if (fault !== null) return fault;
    }
    return null;
  }
  if (op === '==' || op === '!=') return textFault(known, variable, other);
  return ['<', '<=', '>', '>='].includes(op) ? rangeFault(variable, other) : null;
}

function textFault(values: Known, variable: string, value: unknown): ValueFault | null {
  const known = values[variable];
  if (known === undefined || !isNode(value) || value.op !== 'value' || typeof value.args !== 'string' || known.includes(value.args))
    return null;
  const meant = meantLabel(value.args, known);
  const fix = meant !== null ? `Did you mean ${meant}?` : didYouMean(value.args, known, `Known: ${known.join(', ')}.`);
  return { message: `${variable} is never '${value.args}'`, fix, offset: value.start };
}

/** The variable whose value this is, or the map whose entry this is; null for anything else. */
function valueOf(value: unknown): string | null {
  if (!isNode(value) || !Array.isArray(value.args)) return variableOf(value);
  const [of] = value.args as unknown[];
  const map = value.op === '[]' || value.op === '.' ? variableOf(of) : null;
  return map !== null && Object.hasOwn(keyed, map) ? map : variableOf(value);
}

/** `verdict.tasks['coding']`, `verdict.signals.tols`, `'law' in verdict.domains`: a key that the map never has. */
function wrongKey(op: string, [left, right]: readonly unknown[]): ValueFault | null {
  const map = op === 'in' ? variableOf(right) : op === '[]' || op === '.' ? variableOf(left) : null;
  const known = map === null ? undefined : keyed[map];
  if (known === undefined) return null;
  const key = op === 'in' ? left : right;
  const text = typeof key === 'string' ? key : isNode(key) && key.op === 'value' ? key.args : null;
  if (typeof text !== 'string' || known.includes(text) || (map === 'verdict.signals' && taughtSignal.test(text))) return null;
  const meant = meantLabel(text, known);
  const fix = meant !== null ? `Did you mean ${meant}?` : didYouMean(text, known, `Known: ${known.join(', ')}.`);
  return { message: `${map!} never has '${text}'`, fix, offset: isNode(key) ? key.start : isNode(left) ? left.start : 0 };
}

function rangeFault(variable: string, value: unknown): ValueFault | null {
  const range = Object.hasOwn(ranges, variable) ? ranges[variable]! : null;
  if (range === null || !isNode(value) || value.op !== 'value') return null;
  const number = typeof value.args === 'bigint' ? Number(value.args) : value.args;
  const [least, most] = range;
  if (typeof number !== 'number' || (number >= least && number <= most)) return null;
  return {
    message: `${variable} is from ${least} to ${most}, never ${number}`,
    fix: `Write a number from ${least} to ${most}.`,
    offset: value.start,
  };
}
