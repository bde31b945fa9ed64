import { describe, expect, it } from 'vitest';
import { compile, compiled, short } from '../../test/support/policy.ts';

const routed = 'version: 1\ndefaults:\n  candidates: {simple: [gpt-small], standard: [gpt-middle], complex: [gpt-large]}\n';
const rules = (...then: string[]): string =>
  `${routed}  rules:\n${then.map((text, at) => `    - {name: r${at}, when: 'request.stream', then: ${text}}\n`).join('')}`;

describe('shapes in a policy', () => {
  it('stand alone in a rule, or beside what it says of the target', () => {
    const { generation, problems } = compile(rules('{shape: {maxOutputTokens: 800}}', '{tier: simple, shape: {reasoning: low}}'));
    expect(problems).toEqual([]);
    expect(generation!.section('red', 'openai').rules.map(({ then, shape }) => [then.kind, shape])).toEqual([
      ['shape', { maxOutputTokens: 800, reasoning: null, thinkingTokens: null, serviceTier: null }],
      ['tier', { maxOutputTokens: null, reasoning: 'low', thinkingTokens: null, serviceTier: null }],
    ]);
  });

  it('alone make no rule after them unreachable', () => {
    expect(
      compile(
        `${routed}  rules: [{name: all, when: 'true', then: {shape: {reasoning: low}}}, {name: next, when: 'true', then: {keep: true}}]\n`,
      ).problems,
    ).toEqual([]);
    expect(
      compile(
        `${routed}  overrides: [{name: all, when: {task: [code]}, then: {shape: {reasoning: low}}}, {name: next, when: {task: [code]}, then: {keep: true}}]\n`,
      ).problems,
    ).toEqual([]);
  });

  it.each([
    ['a shape of nothing', rules('{shape: {}}'), ['schema']],
    ['a shape with block', rules('{block: No., shape: {reasoning: low}}'), ['schema']],
    ['a fallback of a shape alone', rules('{shape: {reasoning: low}, fallback: [gpt-large]}'), ['schema']],
    ['two targets', rules('{keep: true, tier: simple, shape: {reasoning: low}}'), ['schema']],
    ['no target and no shape', rules('{}'), ['schema']],
    ['an effort that none has', rules('{shape: {reasoning: hard}}'), ['schema']],
    ['too short a limit', rules('{shape: {maxOutputTokens: 5}}'), ['range']],
    ['cheaperAt beside nothing', `${routed}budgets: [{name: a, period: day, usd: 1, hard: {cheaperAt: 50}}]\n`, ['no-effect']],
    [
      'cheaperAt beside a shape',
      `${routed}budgets: [{name: a, period: day, usd: 1, hard: {cheaperAt: 50, shape: {serviceTier: flex}}}]\n`,
      [],
    ],
  ])('%s is said, or not', (_name, text, codes) => {
    expect([...new Set(compile(text).problems.map((problem) => short(problem).split(' ')[0]))]).toEqual(codes);
  });

  it('of tiers are inherited from the defaults', () => {
    const section = compiled(
      `${routed}  shape: {simple: {maxOutputTokens: 400}}\nsections: [{name: one, match: {workspace: [red]}}]\n`,
    ).section('red', 'openai');
    expect([section.shapes?.simple?.maxOutputTokens, section.shapes?.complex]).toEqual([400, null]);
  });
});
