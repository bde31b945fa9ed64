import { Environment } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { limits } from '../lib/limits.ts';
import { expressionCost } from './cel-cost.ts';
import { alwaysTrue, neverTrue } from './never.ts';
import { valueFault } from './rule-values.ts';
import { domains, taskTypes } from '../classify/types.ts';
import type { RuleInput } from './types.ts';
import { messageOf } from '../lib/message-of.ts';

/** The variables of rules. Types are CEL's; docs/policy.md describes each field. */
export const ruleVariables = {
  request: {
    api: 'string',
    operation: 'string',
    model: 'string',
    stream: 'bool',
    promptTokens: 'int',
    maxOutputTokens: 'int',
    messages: 'int',
    userTurns: 'int',
    tools: 'int',
    toolNames: 'list<string>',
    images: 'int',
    audio: 'int',
    files: 'int',
    jsonOutput: 'string',
    reasoning: 'string',
    system: 'string',
    lastUser: 'string',
    words: 'int',
    askTokens: 'int',
  },
  verdict: {
    tier: 'string',
    score: 'double',
    level: 'double',
    confidence: 'double',
    unsure: 'bool',
    task: 'string',
    tasks: 'map<string, double>',
    domain: 'string',
    domains: 'map<string, double>',
    language: 'string',
    signals: 'map<string, double>',
  },
  caller: { workspace: 'string', userTier: 'string', quality: 'string', task: 'string', session: 'string', headers: 'map<string, string>' },
} as const;

const environment = new Environment({ enableOptionalTypes: true })
  .registerVariable({ name: 'request', schema: ruleVariables.request })
  .registerVariable({ name: 'verdict', schema: ruleVariables.verdict })
  .registerVariable({ name: 'caller', schema: ruleVariables.caller })
  .registerVariable('provider', 'string')
  .registerFunction('string.matchesLinear(string): bool', (text: string, pattern: string) => linearPattern(pattern).test(text));

/** Compiled patterns of `matches` calls. They are literals in policies, so their number is limited by the policies. */
const linearPatterns = new Map<string, RE2JS>();

function linearPattern(source: string): RE2JS {
  let pattern = linearPatterns.get(source);
  if (pattern === undefined) {
    // Policies change in a long-lived process; patterns of old ones must not be kept forever.
    if (linearPatterns.size >= limits.rulePatterns) linearPatterns.clear();
    linearPatterns.set(source, (pattern = RE2JS.compile(source)));
  }
  return pattern;
}

/** The input as CEL values, built once per request and shared by all rules. */
const views = new WeakMap<RuleInput, object>();

function viewOf(input: RuleInput, readable: ReadonlySet<string>): object {
  let view = views.get(input);
  if (view !== undefined) return view;
  const { exchange, verdict, caller, provider } = input;
  view = {
    request: {
      api: exchange.api,
      operation: exchange.operation,
      model: exchange.model,
      stream: exchange.stream,
      promptTokens: BigInt(exchange.promptTokens),
      maxOutputTokens: BigInt(Math.trunc(exchange.maxOutputTokens ?? 0)),
      messages: BigInt(exchange.messages),
      userTurns: BigInt(exchange.userTurns),
      tools: BigInt(exchange.tools),
      toolNames: exchange.toolNames,
      images: BigInt(exchange.images),
      audio: BigInt(exchange.audioInputs),
      files: BigInt(exchange.files),
      jsonOutput: exchange.jsonOutput,
      reasoning: exchange.reasoning ?? '',
      system: exchange.system,
      lastUser: exchange.lastUser,
      get words() {
        return BigInt(wordsOf(exchange.lastUser));
      },
      askTokens: BigInt(Math.ceil(exchange.lastUser.length / 4)),
    },
    verdict: {
      tier: verdict.tier,
      score: verdict.score,
      confidence: verdict.confidence,
      unsure: verdict.unsure,
      level: verdict.level ?? 0,
      task: verdict.task,
      tasks: mapOf(taskTypes, verdict.tasks),
      domain: verdict.domain,
      domains: mapOf(domains, verdict.domains),
      language: verdict.language,
      signals: new Map(verdict.signals.map(({ name, share }) => [name, share])),
    },
    caller: {
      workspace: caller.workspace,
      userTier: caller.userTier ?? '',
      quality: caller.quality ?? '',
      task: caller.task ?? '',
      session: caller.session ?? '',
      headers: new Map([...readable].map((name) => [name, caller.headers.get(name) ?? ''])),
    },
    provider,
  };
  views.set(input, view);
  return view;
}

/** Every name has a value, so that a rule need not check whether it exists. */
function mapOf(names: readonly string[], values: Readonly<Record<string, number>> = {}): Map<string, number> {
  return new Map(names.map((name) => [name, values[name] ?? 0]));
}

/** Counts the words of a text: runs of letters and digits; a Chinese or Japanese character counts as one. */
function wordsOf(text: string): number {
  return (
    text.match(
      /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]*[\p{L}\p{N}][^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]*/gu,
    )?.length ?? 0
  );
}

export type CompiledExpression =
  /** `never`: why no request matches; null if some may. `always`: whether every request is known to match. */
  | {
      readonly ok: true;
      readonly matches: (input: RuleInput) => boolean;
      readonly constant: boolean | null;
      readonly never: string | null;
      readonly always: boolean;
      readonly hinted: boolean;
      readonly readsTask: boolean;
    }
  /** `offset` is where in the expression, in UTF-16 units. */
  | { readonly ok: false; readonly message: string; readonly offset: number; readonly fix?: string };

interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly end: number;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'op' in value && 'start' in value;
}

/** All nodes of an expression's tree. */
function* nodesOf(value: unknown): Generator<Node> {
  if (Array.isArray(value)) {
    for (const part of value) yield* nodesOf(part);
  } else if (isNode(value)) {
    yield value;
    yield* nodesOf(value.args);
  }
}

type Linear = { readonly ok: true; readonly source: string } | { readonly ok: false; readonly message: string; readonly offset: number };

/**
 * Replaces every `matches` by the linear-time engine: CEL promises RE2, while the library's own function backtracks, which a prompt could
 * make take minutes. So patterns must be literals and are compiled here.
 */
function linearise(source: string, tree: unknown): Linear {
  const cuts: [number, number][] = [];
  for (const { op, args } of nodesOf(tree)) {
    if (op !== 'rcall' || !Array.isArray(args) || args[0] !== 'matches') continue;
    const [, receiver, [pattern]] = args as [string, Node, Node[]];
    if (pattern === undefined) continue;
    if (pattern.op !== 'value' || typeof pattern.args !== 'string')
      return { ok: false, message: 'the pattern of matches() must be written out as a string', offset: pattern.start };
    try {
      linearPattern(pattern.args);
    } catch (error) {
      return { ok: false, message: `not a regular expression in RE2 syntax: ${messageOf(error)}`, offset: pattern.start };
    }
    const name = source.lastIndexOf('matches', pattern.start);
    if (name >= receiver.start) cuts.push([name, name + 'matches'.length]);
  }
  let linear = source;
  for (const [start, end] of cuts.sort((a, b) => b[0] - a[0])) linear = `${linear.slice(0, start)}matchesLinear${linear.slice(end)}`;
  return { ok: true, source: linear };
}

const headerAccess = /caller\.headers\s*(?:\[\s*\??\s*(["'])([^"']+)\1\s*\]|\.\??([A-Za-z_]\w*))/g;

/** The first header in an expression that the policy does not allow rules to read. */
function unreadableHeader(source: string, readable: ReadonlySet<string>): { readonly name: string; readonly offset: number } | null {
  for (const match of source.matchAll(headerAccess)) {
    const name = match[2] ?? match[3]!;
    if (!readable.has(name)) return { name, offset: match.index };
  }
  return null;
}

/** The value of an expression that reads nothing of the request, or null if it does. */
function constantOf(run: (context: object) => unknown): boolean | null {
  try {
    const value = run({});
    return typeof value === 'boolean' ? value : null;
  } catch {
    return null;
  }
}

/**
 * Compiles and type-checks a rule's expression. `headers`: names, lower case, that it may read; one missing from a request is ''. An
 * evaluation error counts as no match and is passed to `onError`. `providers`: the names that `provider` may have; null: not checked.
 */
export function compileExpression(
  source: string,
  headers: ReadonlySet<string>,
  onError: (error: unknown) => void,
  providers: readonly string[] | null = null,
): CompiledExpression {
  const check = environment.check(source);
  if (!check.valid) {
    const message = check.error?.summary ?? check.error?.message ?? 'not a CEL expression';
    return { ok: false, message: message.split('\n', 1)[0]!, offset: check.error?.range?.start ?? 0 };
  }
  if (check.type !== 'bool') return { ok: false, message: `the expression gives ${check.type ?? 'something else'}, not bool`, offset: 0 };
  const hidden = unreadableHeader(source, headers);
  if (hidden !== null)
    return {
      ok: false,
      message: `rules cannot read the header ${hidden.name}: it is not in workspaces.ruleHeaders, where names are lower case`,
      offset: hidden.offset,
    };
  const tree = environment.parse(source).ast;
  const fault = valueFault(tree, providers);
  if (fault !== null) return { ok: false, ...fault };
  const linear = linearise(source, tree);
  if (!linear.ok) return linear;
  const cost = expressionCost(tree);
  if (cost > limits.ruleCost)
    return {
      ok: false,
      message: `a long prompt could make this take too long: it may look at ${Math.ceil(cost / 1e6)} million letters, and ${limits.ruleCost / 1e6} million are allowed`,
      offset: 0,
    };
  const run = environment.parse(linear.source);
  return {
    ok: true,
    constant: constantOf(run),
    never: neverTrue(source, tree),
    always: alwaysTrue(source, tree),
    readsTask: /\bverdict\s*(?:\.\s*\??\s*task\b|\[)/.test(source),
    hinted: /\bcaller\s*(?:\.\s*\??\s*(?:quality|task|session)\b|\[)/.test(source),
    matches(input) {
      try {
        return run(viewOf(input, headers)) === true;
      } catch (error) {
        onError(error);
        return false;
      }
    },
  };
}

/** Why a pattern is not valid in RE2, whose patterns are never slow; null if it is valid. */
export function patternFault(source: string): string | null {
  try {
    RE2JS.compile(source);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
