import { limits } from '../lib/limits.ts';

/**
 * Upper bounds of an expression's value. `size`: elements of a list or map, letters of a string; `total`: letters of all elements together.
 */
interface Extent {
  readonly size: number;
  readonly total: number;
}

interface Costed extends Extent {
  readonly cost: number;
}

type Scope = ReadonlyMap<string, Extent>;

const scalar: Extent = { size: 1, total: 1 };
const name: Extent = { size: 256, total: 256 };
const headerLetters = 8 * 1024;

/** Rule variables that can be larger than a name. */
const fields: Readonly<Record<string, Extent>> = {
  'request.system': { size: limits.textUnits, total: limits.textUnits },
  'request.lastUser': { size: limits.textUnits, total: limits.textUnits },
  'request.toolNames': { size: limits.toolNames, total: limits.toolNames * 256 },
  'caller.headers': { size: limits.toolNames, total: limits.toolNames * headerLetters },
};

const macros: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);
/** Cost of one macro iteration besides its body, in letters read. */
const turnCost = 50;

interface Node {
  readonly op: string;
  readonly args: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'op' in value;
}

/**
 * The highest cost of a type-checked expression for one request, in letters read. Since a caller's input is bounded, so is the cost, and
 * evaluation needs no timeout.
 */
export function expressionCost(tree: unknown): number {
  return isNode(tree) ? costOf(tree, new Map()).cost : Infinity;
}

function costOf(node: Node, scope: Scope): Costed {
  const { op, args } = node;
  if (op === 'value') return { ...(typeof args === 'string' ? { size: args.length, total: args.length } : scalar), cost: 1 };
  if (op === 'id') return { ...(scope.get(String(args)) ?? name), cost: 1 };
  if (op === '.' || op === '.?') return fieldOf(args, scope);
  if (op === 'rcall' && Array.isArray(args)) {
    const [called, receiver, given] = args as [string, Node, Node[]];
    if (called === 'bind' && given.length === 3) return bound(given, scope);
    return macros.has(called) && given.length >= 2
      ? macro(called, costOf(receiver, scope), given, scope)
      : method(
          called,
          [receiver, ...given].map((part) => costOf(part, scope)),
        );
  }
  const parts = nodesIn(args).map((part) => costOf(part, scope));
  const cost = 1 + sum(parts, (part) => part.cost);
  if (op === '[]' || op === '[?]') return { ...elementOf(parts[0]!), cost };
  if (op === 'list' || op === 'map') return { size: parts.length, total: sum(parts, (part) => part.total), cost };
  if (op === '+')
    return {
      size: sum(parts, (part) => part.size),
      total: sum(parts, (part) => part.total),
      cost: cost + sum(parts, (part) => part.total),
    };
  if (op === '?:') return { size: Math.max(...parts.map((part) => part.size)), total: Math.max(...parts.map((part) => part.total)), cost };
  // Comparisons read both sides.
  return { ...scalar, cost: cost + sum(parts, (part) => part.total) };
}

function fieldOf(args: unknown, scope: Scope): Costed {
  const [of, field] = Array.isArray(args) ? (args as [Node, unknown]) : [];
  if (of === undefined) return { ...name, cost: 1 };
  const key = of.op === 'id' ? `${String(of.args)}.${String(isNode(field) ? field.args : field)}` : '';
  const inner = costOf(of, scope);
  const known = of.op === 'id' && !scope.has(String(of.args)) ? fields[key] : undefined;
  return { ...(known ?? (of.op === 'id' ? name : elementOf(inner))), cost: inner.cost + 1 };
}

/** The extent of any one element, which may be nearly the whole collection. */
function elementOf({ total }: Extent): Extent {
  return { size: total, total };
}

/** All elements together cost at most one element with all the content plus as many empty ones. */
function macro(called: string, over: Costed, given: readonly Node[], scope: Scope): Costed {
  const variable = String(given[0]!.args);
  const bodies = given.slice(1);
  const inside = (element: Extent): Costed[] => bodies.map((body) => costOf(body, new Map(scope).set(variable, element)));
  const [whole, least] = [inside(elementOf(over)), inside(scalar)];
  const cost = over.cost + sum(whole, (part) => part.cost) + over.size * (turnCost + sum(least, (part) => part.cost));
  if (called === 'filter') return { size: over.size, total: over.total, cost };
  if (called !== 'map') return { ...scalar, cost };
  return { size: over.size, total: whole.at(-1)!.total + over.size * least.at(-1)!.total, cost };
}

function bound([variable, value, body]: readonly Node[], scope: Scope): Costed {
  const given = costOf(value!, scope);
  const inner = costOf(body!, new Map(scope).set(String(variable!.args), given));
  return { ...inner, cost: given.cost + inner.cost };
}

function method(called: string, parts: readonly Costed[]): Costed {
  const [receiver] = parts;
  const cost = 1 + sum(parts, (part) => part.cost + part.total);
  if (called === 'split') return { size: receiver!.total + 1, total: receiver!.total, cost: cost + receiver!.total };
  if (called === 'join') {
    const letters = receiver!.total + receiver!.size * (parts[1]?.total ?? 0);
    return { size: letters, total: letters, cost: cost + letters };
  }
  return { size: receiver!.size, total: receiver!.total, cost };
}

function nodesIn(args: unknown): Node[] {
  if (isNode(args)) return [args];
  return Array.isArray(args) ? args.flatMap((part) => nodesIn(part)) : [];
}

function sum<T>(parts: readonly T[], of: (part: T) => number): number {
  return parts.reduce((all, part) => all + of(part), 0);
}
