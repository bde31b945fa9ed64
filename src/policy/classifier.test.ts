import { describe, expect, it } from 'vitest';
import { compile, compiled } from '../../test/support/policy.ts';
import { Credentials } from '../exchange/credentials.ts';
import { dryRun } from '../exchange/dry-run.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { explainRecord } from '../route/explain.ts';

const candidates = 'candidates: { simple: [gpt-small], standard: [gpt-middle], complex: [gpt-large] }';
const policy = (classifier: string): string => `version: 1\ndefaults:\n  ${candidates}\n  classifier: ${classifier}\n`;
const said = (classifier: string): string[] =>
  compile(policy(classifier)).problems.map(({ level, code, path, message, fix }) => `${level} ${code} ${path}: ${message}. ${fix}`);

async function recordOf(text: string, prompt: string): Promise<ExchangeRecord> {
  const generation = compiled(text);
  const credentials = new Credentials();
  await credentials.refresh(generation);
  const body = Buffer.from(JSON.stringify({ model: 'gpt-large', messages: [{ role: 'user', content: prompt }] }));
  const headers = new Map([
    [':method', 'POST'],
    [':path', '/v1/chat/completions'],
    [':authority', 'gateway'],
    ['content-type', 'application/json'],
  ] as const);
  const { record } = await dryRun({ generation, credentials, router: null, headers, body });
  return record!;
}

describe('a policy that teaches the classifier', () => {
  const prompt = 'Which KPIs should the weekly Falcon report show?';

  it('moves near prompts; the record and explain name the example', async () => {
    const examples = `{ examples: [{ name: falcon, prompt: ${prompt}, task: planning, tier: complex }] }`;
    const [taught, plain] = [await recordOf(policy(examples), prompt), await recordOf(policy('{}'), prompt)];
    expect([plain.verdict?.task, plain.verdict?.tier]).not.toEqual(['planning', 'complex']);
    expect([taught.verdict?.task, taught.verdict?.tier, taught.decision?.served.model]).toEqual(['planning', 'complex', 'gpt-large']);
    expect(taught.verdict?.signals).toContainEqual({ name: 'example falcon', value: 1, share: expect.any(Number) as number });
    expect(explainRecord(taught)).toMatch(/\+0\.\d{3} {2}example falcon = 1\n/);
    expect(explainRecord(plain)).not.toContain('example');
  });

  it('is named by explain where it moves no score', async () => {
    const text = policy(`{ examples: [{ prompt: ${prompt}, task: planning }] }`);
    expect(explainRecord(await recordOf(text, prompt))).toContain('  +0.000  example 1 = 1\n');
  });

  it('holds for the section that says so, in place of the defaults', async () => {
    const text = `${policy(`{ examples: [{ prompt: ${prompt}, task: planning }] }`)}sections: [{ name: all, classifier: { examples: [] } }]\n`;
    expect((await recordOf(text, prompt)).verdict?.task).not.toBe('planning');
  });

  it.each<readonly [string, string, RegExp]>([
    [
      'a task that does not exist',
      '{ examples: [{ prompt: a b, task: coding }] }',
      /examples\.?\[?0\]?\.task: expected one of .*found the text "coding"\. Did you mean code\?/,
    ],
    ['a domain that does not exist', '{ examples: [{ prompt: a b, domain: medicl }] }', /Did you mean medical\?/],
    ['a tier that does not exist', '{ examples: [{ prompt: a b, tier: simpel }] }', /Did you mean simple\?/],
    ['a level out of range', '{ examples: [{ prompt: a b, level: 6 }] }', /^error range/],
    ['no label', '{ examples: [{ prompt: a b }] }', /say at least one of task, domain, tier, level/],
    ['a misspelt key', '{ examples: [{ prompt: a b, tasks: code, tier: simple }] }', /Did you mean task\?/],
    [
      'a prompt twice',
      '{ examples: [{ prompt: a b, task: code }, { prompt: A b, task: maths }] }',
      /^error twice .*1.*prompt: example 1 has the same prompt/,
    ],
    [
      'a name twice',
      '{ examples: [{ name: x, prompt: a b, task: code }, { name: x, prompt: c d, task: maths }] }',
      /^error twice .*name: there is another example called x/,
    ],
  ])('is refused with %s', (_what, classifier, message) => {
    expect(said(classifier).join('\n')).toMatch(message);
  });
});
