/** Finds rules that no request can match, from the expression alone. */
import { ranges } from './rule-values.ts';

interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly end: number;
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'op' in value && 'start' in value;

type Literal = string | number | boolean;
type TextTest = 'startsWith' | 'endsWith' | 'contains';

/** What one part of a chain of `&&` asks of one operand. */
type Condition =
  | { readonly kind: 'in'; readonly values: readonly Literal[]; readonly not: boolean }
  | { readonly kind: 'bound'; readonly op: '<' | '<=' | '>' | '>='; readonly value: number }
  | { readonly kind: 'text'; readonly test: TextTest; readonly text: string; readonly not: boolean };

/** What is asked of the operands, and the alternatives of each `||`, as nodes and whether they are negated. */
interface Conditions {
  readonly asked: { readonly what: string; readonly condition: Condition }[];
  readonly either: (readonly (readonly [node: Node, not: boolean])[])[];
}

/** What is a count, so a whole number and never below 0. */
const counts =
  /^(?:request\.(?:promptTokens|maxOutputTokens|messages|userTurns|tools|images|audio|files|words|askTokens)|size\([^()]*\)|[\w.]+\.size\(\))$/;

const mirrored: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '==', '!=': '!=' };
const opposite: Readonly<Record<string, string>> = { '<': '>=', '<=': '>', '>': '<=', '>=': '<', '==': '!=', '!=': '==' };
const textTests: ReadonlySet<unknown> = new Set<TextTest>(['startsWith', 'endsWith', 'contains']);

/** Whether an expression is true of every request: what it denies contradicts itself. */
export function alwaysTrue(source: string, tree: unknown): boolean {
  return isNode(tree) && contradiction(source, [[tree, true]], new Map()) !== null;
}

/** Why an expression is never true: parts of an `&&` contradict each other. Null if no contradiction is found. */
export function neverTrue(source: string, tree: unknown): string | null {
  return isNode(tree) ? contradiction(source, [[tree, false]], new Map()) : null;
}

/** `before`: what is asked of the operands already, where the nodes are one way of an `||`. */
function contradiction(
  source: string,
  nodes: readonly (readonly [Node, boolean])[],
  before: ReadonlyMap<string, readonly Condition[]>,
): string | null {
  const found: Conditions = { asked: [], either: [] };
  for (const [node, not] of nodes) collect(source, node, not, found);
  const all = new Map(before);
  for (const { what, condition } of found.asked) {
    const conditions = [...(all.get(what) ?? []), condition];
    all.set(what, conditions);
    if (impossible(what, conditions)) return `no value of ${what} meets it`;
  }
  for (const ways of found.either) {
    const whys = ways.map((way) => contradiction(source, [way], all));
    if (whys.every((why) => why !== null)) return whys[0] ?? null;
  }
  return null;
}

/** Sorts the parts of a chain of `&&`, through negations. */
function collect(source: string, node: Node, not: boolean, into: Conditions): void {
  const { op } = node;
  const parts = partsOf(node);
  if (op === '!_') {
    for (const part of parts) collect(source, part, !not, into);
  } else if (op === (not ? '||' : '&&')) {
    for (const part of parts) collect(source, part, not, into);
  } else if (op === '||' || op === '&&') {
    into.either.push(parts.map((part) => [part, not] as const));
  } else {
    into.asked.push(...comparison(source, node, not), ...membership(source, node, not), ...textTest(source, node, not));
    if (mirrored[op] === undefined && op !== 'value')
      into.asked.push({ what: nameOf(source, node), condition: { kind: 'in', values: [!not], not: false } });
  }
}

function impossible(what: string, conditions: readonly Condition[]): boolean {
  const allowed = conditions.find((one) => one.kind === 'in' && !one.not);
  if (allowed?.kind === 'in')
    return !allowed.values.some((value) => inRange(what, value) && conditions.every((condition) => meets(value, condition)));
  if (disagree(conditions.filter((one) => one.kind === 'text'))) return true;
  const [least, most] = rangeOf(what);
  let low = { value: least, inside: true };
  let high = { value: most, inside: true };
  for (const condition of conditions) {
    if (condition.kind !== 'bound') continue;
    const { op, value } = condition;
    // More than 3 requests is 4 or more.
    const whole = counts.test(what) && Number.isInteger(value) && !op.endsWith('=');
    const inside = whole || op.endsWith('=');
    const edge = whole ? value + (op === '>' ? 1 : -1) : value;
    if (op.startsWith('>') && (edge > low.value || (edge === low.value && !inside))) low = { value: edge, inside };
    if (op.startsWith('<') && (edge < high.value || (edge === high.value && !inside))) high = { value: edge, inside };
  }
  return low.value > high.value || (low.value === high.value && !(low.inside && high.inside));
}

/** Whether no text can meet all conditions: two different beginnings, say, or a beginning that another condition excludes. */
function disagree(conditions: readonly (Condition & { readonly kind: 'text' })[]): boolean {
  return conditions.some(
    (one) =>
      (one.text === '' && one.not) ||
      (!one.not &&
        conditions.some((other) => {
          if (other.not) return other.test === 'contains' ? one.text.includes(other.text) : other.test === one.test && has(one, other.text);
          return one.test !== 'contains' && other.test === one.test && !has(one, other.text) && !has(other, one.text);
        })),
  );
}

function has({ test, text }: Condition & { readonly kind: 'text' }, part: string): boolean {
  return test === 'startsWith' ? text.startsWith(part) : test === 'endsWith' ? text.endsWith(part) : text.includes(part);
}

function meets(value: Literal, condition: Condition): boolean {
  switch (condition.kind) {
    case 'in':
      return condition.values.includes(value) !== condition.not;
    case 'bound': {
      if (typeof value !== 'number') return true;
      const { op, value: bound } = condition;
      return op === '<' ? value < bound : op === '<=' ? value <= bound : op === '>' ? value > bound : value >= bound;
    }
    case 'text': {
      if (typeof value !== 'string') return true;
      const { test, text, not } = condition;
      return (test === 'startsWith' ? value.startsWith(text) : test === 'endsWith' ? value.endsWith(text) : value.includes(text)) !== not;
    }
  }
}

function rangeOf(what: string): readonly [number, number] {
  if (counts.test(what)) return [0, Infinity];
  return Object.hasOwn(ranges, what) ? ranges[what]! : [-Infinity, Infinity];
}

function inRange(what: string, value: Literal): boolean {
  const [least, most] = rangeOf(what);
  return typeof value !== 'number' || (value >= least && value <= most);
}

function comparison(source: string, { op, args }: Node, not: boolean): Conditions['asked'] {
  if (mirrored[op] === undefined || !Array.isArray(args)) return [];
  const [left, right] = args as [unknown, unknown];
  const [of, value, meant] = literalOf(right) !== null ? [left, literalOf(right), op] : [right, literalOf(left), mirrored[op]];
  if (value === null || !isNode(of) || literalOf(of) !== null) return [];
  const what = nameOf(source, of);
  const asked = not ? opposite[meant]! : meant;
  if (asked === '==' || asked === '!=') return [{ what, condition: { kind: 'in', values: [value], not: asked === '!=' } }];
  return typeof value === 'number' ? [{ what, condition: { kind: 'bound', op: asked as '<', value } }] : [];
}

/** `x in ['a', 'b']` with literals alone. */
function membership(source: string, { op, args }: Node, not: boolean): Conditions['asked'] {
  if (op !== 'in' || !Array.isArray(args)) return [];
  const [of, list] = args as [unknown, unknown];
  if (!isNode(of) || !isNode(list) || list.op !== 'list' || !Array.isArray(list.args)) return [];
  const values = (list.args as unknown[]).map(literalOf).filter((value) => value !== null);
  return values.length === list.args.length ? [{ what: nameOf(source, of), condition: { kind: 'in', values, not } }] : [];
}

function textTest(source: string, { op, args }: Node, not: boolean): Conditions['asked'] {
  if (op !== 'rcall' || !Array.isArray(args) || !textTests.has(args[0]) || !Array.isArray(args[2])) return [];
  const text = literalOf((args[2] as unknown[])[0]);
  if (typeof text !== 'string' || !isNode(args[1])) return [];
  return [{ what: nameOf(source, args[1]), condition: { kind: 'text', test: args[0] as TextTest, text, not } }];
}

function nameOf(source: string, { start, end }: Node): string {
  return source
    .slice(start, end)
    .trim()
    .replace(/\s*\.\s*/g, '.');
}

function literalOf(value: unknown): Literal | null {
  if (!isNode(value)) return null;
  if (value.op === '-_' || value.op === '-') {
    const inner = literalOf(Array.isArray(value.args) ? (value.args.length === 1 ? (value.args as unknown[])[0] : null) : value.args);
    return typeof inner === 'number' ? -inner : null;
  }
  if (value.op !== 'value') return null;
  const { args } = value;
  return typeof args === 'bigint'
    ? Number(args)
    : typeof args === 'string' || typeof args === 'number' || typeof args === 'boolean'
      ? args
      : null;
}

function partsOf({ args }: Node): Node[] {
  return (Array.isArray(args) ? (args as unknown[]) : [args]).filter(isNode);
}
