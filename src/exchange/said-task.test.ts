import { describe, expect, it } from 'vitest';
import { compiled } from '../../test/support/policy.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { explainRecord } from '../route/explain.ts';
import { Credentials } from './credentials.ts';
import { dryRun } from './dry-run.ts';

/** The record of "Translate … to French", whose caller says this task, under a policy's defaults. */
async function recordOf(defaults: string, task: string | null, more = ''): Promise<ExchangeRecord> {
  const generation = compiled(
    `version: 1\n${more}\ndefaults: { candidates: { simple: [gpt-small], standard: [gpt-middle], complex: [gpt-large] }, ${defaults} }\n`,
  );
  const fields = new Map([
    [':method', 'POST'],
    [':path', '/v1/chat/completions'],
    [':authority', 'gateway'],
    ['content-type', 'application/json'],
    ...(task === null ? [] : [['x-sluice-task', task] as const]),
  ] as const);
  const credentials = new Credentials();
  await credentials.refresh(generation);
  const body = Buffer.from('{"model":"gpt-large","messages":[{"role":"user","content":"Translate to French: the shop opens at nine."}]}');
  const { record } = await dryRun({ generation, credentials, router: null, headers: fields, body });
  return record!;
}

const verdictOf = ({ verdict }: ExchangeRecord) => [verdict?.task, verdict?.classifiedTask];
const decided = ({ decision }: ExchangeRecord) => [decision?.reason, decision?.rule, decision?.served.model];

describe('a task that the caller says', () => {
  it('is the task of the verdict, where it names one; the record and explain say so', async () => {
    expect(verdictOf(await recordOf('tiers: []', null))).toEqual(['translation', undefined]);
    const said = await recordOf('tiers: []', 'Code');
    expect(verdictOf(said)).toEqual(['code', 'translation']);
    expect(explainRecord(said)).toContain('  task code (the caller said so; classified as translation), domain');
    expect(verdictOf(await recordOf('tiers: []', 'translation'))).toEqual(['translation', 'translation']);
    for (const word of ['invoices', 'unknown', 'constructor'])
      expect(verdictOf(await recordOf('tiers: []', word))).toEqual(['translation', undefined]);
  });

  it('is not, where the policy does not believe it', async () => {
    const record = await recordOf('tiers: []', 'code', 'callers: {believe: {task: nobody}}');
    expect([verdictOf(record), record.caller?.ignored]).toEqual([['translation', undefined], [{ claim: 'task', why: 'untrusted' }]]);
  });

  const toLarge = "rules: [{name: coding, when: verdict.task == 'code', then: {model: gpt-middle}}";

  it('decides rules and overrides', async () => {
    expect(decided(await recordOf(`${toLarge}]`, 'code'))).toEqual(['rule', 'coding', 'gpt-middle']);
    expect(decided(await recordOf(`${toLarge}]`, null))).toEqual(['tier', null, 'gpt-small']);
    expect(decided(await recordOf('overrides: [{name: coding, when: {task: [code]}, then: {model: gpt-middle}}]', 'code'))).toEqual([
      'override',
      'coding',
      'gpt-middle',
    ]);
    expect(decided(await recordOf('overrides: [{name: mine, when: {task: [invoices]}, then: {model: gpt-middle}}]', 'invoices'))).toEqual([
      'override',
      'mine',
      'gpt-middle',
    ]);
  });

  it.each([
    ['a rule that asks for the task', "rules: [{name: ban, when: verdict.task == 'translation', then: {block: no}}]"],
    ['a rule behind one that matches the said task', `${toLarge}, {name: ban, when: verdict.task == 'translation', then: {block: no}}]`],
    [
      'a rule for any request behind one that matches the said task',
      `${toLarge}, {name: ban, when: request.messages > 0, then: {block: no}}]`,
    ],
    [
      'a rule behind a keep for the said task',
      "rules: [{name: mine, when: \"verdict['task'] == 'code'\", then: {keep: true}}, {name: ban, when: request.messages > 0, then: {block: no}}]",
    ],
    ['an override', 'overrides: [{name: ban, when: {task: [translation]}, then: {block: no}}]'],
  ])('lifts no block: %s', async (_what, rules) => {
    expect(decided(await recordOf(rules, 'code'))).toEqual(['blocked', 'ban', 'gpt-large']);
  });

  it('is blocked where the policy blocks the said one', async () => {
    expect(decided(await recordOf("rules: [{name: ban, when: verdict.task == 'code', then: {block: no}}]", 'code'))).toEqual([
      'blocked',
      'ban',
      'gpt-large',
    ]);
  });

  it('makes no room in a budget: estimates go by the task as classified', async () => {
    const [said, silent] = [await recordOf('tiers: []', 'classification'), await recordOf('tiers: []', null)];
    expect([said.decision?.assumedOutputTokens, said.decision?.estimate]).toEqual([
      silent.decision?.assumedOutputTokens,
      silent.decision?.estimate,
    ]);
  });
});
