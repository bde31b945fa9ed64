/** Finds rules that no request can match, from the expression alone. */

interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly end: number;
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'op' in value && 'start' in value;

/** The conditions on one operand in a chain of `&&`. */
interface Asked {
  equals: string | number | boolean | null;
  least: number;
  leastIn: boolean;
  most: number;
  mostIn: boolean;
}

/** Variables that are counts, so never below 0. */
const counts = /^request\s*\.\s*(?:promptTokens|maxOutputTokens|messages|userTurns|tools|images|audio|files|words|askTokens)$/;

const mirrored: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '==' };

/** Why an expression is never true: two parts of an `&&` contradict each other. Null if no contradiction is found. */
export function neverTrue(source: string, tree: unknown): string | null {
  if (!isNode(tree)) return null;
  if (tree.op === '||')
    return parts(tree)
      .map((part) => neverTrue(source, part))
      .reduce((all, why) => (all === null || why === null ? null : all));
  const asked = new Map<string, Asked>();
  for (const part of flat(tree)) {
    if (part.op === '||') {
      const why = neverTrue(source, part);
      if (why !== null) return why;
    }
    const compared = comparison(source, part);
    if (compared === null) continue;
    const { what, op, value } = compared;
    const before = asked.get(what) ?? {
      equals: null,
      least: counts.test(what) ? 0 : -Infinity,
      leastIn: true,
      most: Infinity,
      mostIn: true,
    };
    asked.set(what, before);
    if (contradicts(before, op, value)) return `${what} cannot be all that is asked of it`;
  }
  return null;
}

function contradicts(asked: Asked, op: string, value: string | number | boolean): boolean {
  if (op === '==') {
    if (asked.equals !== null && asked.equals !== value) return true;
    asked.equals = value;
  } else if (typeof value === 'number') {
    const inside = op.endsWith('=');
    if (op.startsWith('>') && (value > asked.least || (value === asked.least && !inside))) [asked.least, asked.leastIn] = [value, inside];
    if (op.startsWith('<') && (value < asked.most || (value === asked.most && !inside))) [asked.most, asked.mostIn] = [value, inside];
  }
  const closed = asked.leastIn && asked.mostIn;
  if (asked.least > asked.most || (asked.least === asked.most && !closed)) return true;
  const { equals } = asked;
  return (
    typeof equals === 'number' &&
    (equals < asked.least || equals > asked.most || (equals === asked.least && !asked.leastIn) || (equals === asked.most && !asked.mostIn))
  );
}

function comparison(
  source: string,
  { op, args }: Node,
): { readonly what: string; readonly op: string; readonly value: string | number | boolean } | null {
  if (mirrored[op] === undefined || !Array.isArray(args)) return null;
  const [left, right] = args as [unknown, unknown];
  const [of, literal, meant] = literalOf(right) !== null ? [left, literalOf(right), op] : [right, literalOf(left), mirrored[op]];
  if (literal === null || !isNode(of) || literalOf(of) !== null) return null;
  return { what: source.slice(of.start, of.end).trim(), op: meant, value: literal };
}

function literalOf(value: unknown): string | number | boolean | null {
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

function parts(node: Node): Node[] {
  return Array.isArray(node.args) ? (node.args as unknown[]).filter(isNode) : [];
}

/** The parts of a chain of `&&`. */
function flat(node: Node): Node[] {
  return node.op === '&&' ? parts(node).flatMap(flat) : [node];
}
