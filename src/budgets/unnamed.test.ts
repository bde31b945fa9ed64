import { describe, expect, it } from 'vitest';
import { exchange, input, provider, verdict } from '../../test/support/decision.ts';
import { compiled } from '../../test/support/policy.ts';
import { limits } from '../lib/limits.ts';
import type { CallerTrust } from '../policy/types.ts';
import { decide } from '../route/decide.ts';
import { Budgets, type BudgetAdmission } from './budgets.ts';
import { MemoryBudgetStore } from './memory.ts';
import { UnnamedWorkspaces } from './unnamed.ts';

/** A request of a cent; a budget of a workspace has room for one. */
const policy = `version: 1
workspaces: { known: [known] }
sections: [{ name: s, match: { workspace: [named, "team-*"] } }]
budgets: [{ name: each, per: [workspace], period: day, usd: 0.015, hard: {} }]
`;
const generation = compiled(policy);
const vouched: CallerTrust = { identity: null, rule: null, workspaceVouched: true, ignored: [], believesBody: () => true };

function bench(): {
  readonly admit: (workspace: string, trust?: CallerTrust) => BudgetAdmission;
  readonly budgets: Budgets;
  readonly shared: () => number;
} {
  let shared = 0;
  let asked = 0;
  const budgets = new Budgets({
    store: new MemoryBudgetStore(),
    onEvent: () => undefined,
    onAction: () => undefined,
    onLimit: () => undefined,
    onShared: () => shared++,
  });
  const admit = (workspace: string, trust?: CallerTrust): BudgetAdmission => {
    const base = input({ generation, provider: generation.providers.get('openai') ?? provider('openai') });
    const asking = {
      ...base,
      exchange: exchange({ model: 'gpt-large', promptTokens: 1_000, maxOutputTokens: 0 }),
      verdict: verdict({}),
      section: generation.section(workspace, 'openai'),
      caller: { ...base.caller, workspace, ...(trust === undefined ? {} : { trust }) },
    };
    return budgets.admit({
      id: String(asked++),
      input: asking,
      decision: decide(asking),
      user: null,
      enforce: true,
      cheaper: null,
    }) as BudgetAdmission;
  };
  return { admit, budgets, shared: () => shared };
}

const action = ({ decision }: BudgetAdmission): string => decision.reason;

describe('workspaces that nobody names', () => {
  it('have a budget each up to the bound, and share one beyond it', () => {
    const { admit, budgets, shared } = bench();
    for (let at = 0; at < limits.unnamedWorkspaces; at++)
      expect(action(admit(at % 2 === 0 ? `made-up-${at}` : `team-${at}`))).not.toBe('over-budget');
    expect([budgets.unnamedWorkspaces, shared()]).toEqual([limits.unnamedWorkspaces, 0]);
    const first = admit('one-more');
    expect([action(first) === 'over-budget', first.facts[0]?.of]).toEqual([false, { workspace: 'other' }]);
    expect(['two-more', 'team-more', 'one-more'].map((workspace) => action(admit(workspace)))).toEqual([
      'over-budget',
      'over-budget',
      'over-budget',
    ]);
    expect(budgets.unnamedWorkspaces).toBe(limits.unnamedWorkspaces);
    // Those that the policy names, those that somebody vouches for, and those that came before keep their own.
    for (const [workspace, trust] of [['known'], ['named'], ['default'], ['from-a-certificate', vouched]] as const)
      expect([workspace, action(admit(workspace, trust)), action(admit(workspace, trust))]).toEqual([
        workspace,
        expect.not.stringMatching('over-budget'),
        'over-budget',
      ]);
    expect(admit('made-up-0').facts[0]?.of).toEqual({ workspace: 'made-up-0' });
    expect(shared()).toBe(1);
  });

  it('give back to the counter that they took from', () => {
    const { admit, budgets } = bench();
    for (let at = 0; at < limits.unnamedWorkspaces; at++) admit(`made-up-${at}`);
    const { reservation } = admit('one-more');
    budgets.settle(reservation!, { workspace: 'one-more', usage: null, attempts: [], cost: { known: true, usd: 0 }, status: null });
    expect(action(admit('two-more'))).not.toBe('over-budget');
  });

  it('are not looked at where nothing is counted by workspace', () => {
    const unnamed = new UnnamedWorkspaces(1);
    for (const workspace of ['a', 'b', 'c']) expect(unnamed.countedAs({ workspace }, { namedWorkspaces: null })).toBe(workspace);
    expect(unnamed.size).toBe(0);
    expect(compiled('version: 1\nbudgets: [{name: all, period: day, usd: 1}]\n').namedWorkspaces).toBeNull();
    expect([
      ...(compiled('version: 1\nlimits: [{name: l, per: [workspace], match: {workspace: [a, "b-*"]}, concurrent: 1}]\n').namedWorkspaces ??
        []),
    ]).toEqual(['default', 'a']);
  });
});
