import { Environment } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import type { Exchange } from '../dialects/types.ts';
import type { RuleInput } from './types.ts';

/** What a rule sees. Types are CEL's; docs/policy.md lists the meaning of each field. */
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
  },
  verdict: { tier: 'string', score: 'double', confidence: 'double', unsure: 'bool', task: 'string', domain: 'string', language: 'string' },
  caller: { workspace: 'string', userTier: 'string', quality: 'string', task: 'string', session: 'string', headers: 'map<string, string>' },
} as const;

const environment = new Environment({ enableOptionalTypes: true })
  .registerVariable({ name: 'request', schema: ruleVariables.request })
  .registerVariable({ name: 'verdict', schema: ruleVariables.verdict })
  .registerVariable({ name: 'caller', schema: ruleVariables.caller })
  .registerVariable('provider', 'string');

/** The input as CEL values, built once a request and shared by all rules. */
const views = new WeakMap<RuleInput, object>();

function viewOf(input: RuleInput): object {
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
    },
    verdict: {
      tier: verdict.tier,
      score: verdict.score,
      confidence: verdict.confidence,
      unsure: verdict.unsure,
      task: verdict.task,
      domain: verdict.domain,
      language: verdict.language,
    },
    caller: {
      workspace: caller.workspace,
      userTier: caller.userTier ?? '',
      quality: caller.quality ?? '',
      task: caller.task ?? '',
      session: caller.session ?? '',
      headers: Object.fromEntries(caller.headers),
    },
    provider,
  };
  views.set(input, view);
  return view;
}

export type CompiledExpression =
  | { readonly ok: true; readonly matches: (input: RuleInput) => boolean; readonly constant: boolean | null }
  /** `offset` is where in the expression, in UTF-16 units. */
  | { readonly ok: false; readonly message: string; readonly offset: number };

/** Compiles and type-checks a rule's expression. An error while it is evaluated counts as no match and goes to `onError`. */
export function compileExpression(source: string, onError: (error: unknown) => void): CompiledExpression {
  const check = environment.check(source);
  if (!check.valid) {
    const message = check.error?.summary ?? check.error?.message ?? 'not a CEL expression';
    return { ok: false, message: message.split('\n', 1)[0]!, offset: check.error?.range?.start ?? 0 };
  }
  if (check.type !== 'bool') return { ok: false, message: `the expression gives ${check.type ?? 'something else'}, not bool`, offset: 0 };
  const run = environment.parse(source);
  const literal = source.trim();
  return {
    ok: true,
    constant: literal === 'true' ? true : literal === 'false' ? false : null,
    matches(input) {
      try {
        return run(viewOf(input)) === true;
      } catch (error) {
        onError(error);
        return false;
      }
    },
  };
}

export type CompiledPattern = { readonly ok: true; readonly matches: (exchange: Exchange) => boolean } | { readonly ok: false; readonly message: string };

/** Compiles a pattern on a linear-time engine; no text can make it slow. */
export function compilePattern(source: string, ignoreCase: boolean): CompiledPattern {
  try {
    const pattern = RE2JS.compile(source, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
    const found = (text: string): boolean => text !== '' && pattern.matcher(text).find();
    return { ok: true, matches: ({ lastUser, system, context }) => found(lastUser) || found(system) || found(context) };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}
