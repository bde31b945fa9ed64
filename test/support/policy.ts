import { ModelCatalog } from '../../src/catalog/catalog.ts';
import { compilePolicy, type CompileOptions, type CompileResult } from '../../src/policy/compile.ts';
import type { PolicyFile, PolicySnapshot, Problem, RuleInput } from '../../src/policy/types.ts';
import { exchange, model, verdict } from './decision.ts';

/** Small, made-up price facts: two providers of one dialect, one of another, an embedding model, and models that lack something. */
export const catalog = new ModelCatalog('2026-01-01-abc', '2026-01-01', [
  model('openai', 'gpt-small', 1),
  model('openai', 'gpt-middle', 2),
  model('openai', 'gpt-large', 10),
  model('openai', 'gpt-blind', 1, { capabilities: { vision: false } }),
  model('openai', 'gpt-unpriced', null),
  model('openai', 'embed-small', 0.1, { mode: 'embedding' }),
  model('mistral', 'mistral-small', 0.5),
  model('anthropic', 'claude-small', 1),
]);

/** Compiles one text, or texts by file name. */
export function compile(policy: string | Readonly<Record<string, string>>, options: Partial<CompileOptions> = {}): CompileResult {
  const files: PolicyFile[] =
    typeof policy === 'string' ? [{ name: 'policy.yaml', text: policy }] : Object.entries(policy).map(([name, text]) => ({ name, text }));
  return compilePolicy(files, { catalog, ...options });
}

/** The generation of a policy that must be good. */
export function compiled(policy: string | Readonly<Record<string, string>>, options: Partial<CompileOptions> = {}): PolicySnapshot {
  const { generation, problems } = compile(policy, options);
  if (generation === null) throw new Error(JSON.stringify(problems, null, 2));
  return generation;
}

/** Problems of a policy in few words: `code line:column path`. */
export function short({ code, line, column, path }: Problem): string {
  return `${code} ${line}:${column} ${path}`;
}

/** What rules look at, for a caller that sent nothing of its own. */
export function ruleInput(facts: { readonly [K in keyof RuleInput]?: Partial<RuleInput[K]> } = {}): RuleInput {
  return {
    exchange: exchange(facts.exchange),
    verdict: verdict(facts.verdict),
    caller: {
      workspace: 'red',
      userTier: null,
      quality: null,
      task: null,
      session: null,
      user: null,
      headers: new Map(),
      now: Date.UTC(2026, 0, 5, 12),
      ...facts.caller,
    },
    provider: 'openai',
  };
}
