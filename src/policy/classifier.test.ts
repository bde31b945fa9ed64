import { describe, expect, it } from 'vitest';
import { compile, compiled } from '../../test/support/policy.ts';
import { Credentials } from '../exchange/credentials.ts';
import { dryRun } from '../exchange/dry-run.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { explainRecord } from '../route/explain.ts';
import { templateOf } from '../router/online/template.ts';

const candidates = 'candidates: { simple: [gpt-small], standard: [gpt-middle], complex: [gpt-large] }';
const policy = (classifier: string): string => `version: 1\ndefaults:\n  ${candidates}\n  classifier: ${classifier}\n`;
const said = (classifier: string): string[] =>
  compile(policy(classifier)).problems.map(({ level, code, path, message, fix }) => `${level} ${code} ${path}: ${message}. ${fix}`);

async function recordOf(text: string, prompt: string, system = ''): Promise<ExchangeRecord> {
  const generation = compiled(text);
  const credentials = new Credentials();
  await credentials.refresh(generation);
  const body = Buffer.from(
    JSON.stringify({
      model: 'gpt-large',
      messages: [...(system === '' ? [] : [{ role: 'system', content: system }]), { role: 'user', content: prompt }],
    }),
  );
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

  it('may ask a sentence model, and says how long a request waits for it', () => {
    const waits = (classifier: string): number | null =>
      compiled(policy(classifier)).section('default', 'openai').classifier.embeddingWaitMs;
    expect([waits('{}'), waits('{ embedding: {} }'), waits('{ embedding: { waitMs: 40 } }')]).toEqual([null, 0, 40]);
    expect(said('{ embedding: { waitMs: 401 } }').join()).toMatch(/classifier\.embedding\.waitMs: .*400/);
    expect(said('{ embedding: { model: /models } }').join()).toMatch(/error .*classifier\.embedding\.model/);
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
      'a file that is not there',
      '{ file: team.jsonl }',
      /^error no-file defaults.classifier.file: there is no file team.jsonl beside this one. Put it into the same folder/,
    ],
    ['a file elsewhere', '{ file: ../team.jsonl }', /the name of a \.jsonl file in the folder of this one/],
    ['a word with a sign', '{ words: [{ name: x, words: [C++], domain: code }] }', /^error word .*words\[0\]: "C\+\+" is read without \+/],
    ['a word of signs', '{ words: [{ name: x, words: ["!!"], domain: code }] }', /has no letter and no digit/],
    ['a short stem', '{ words: [{ name: x, words: ["ab*"], domain: code }] }', /would match too many words/],
    ['one letter', '{ words: [{ name: x, words: [a], domain: code }] }', /would match too many questions/],
    ['a spaced Japanese word', '{ words: [{ name: x, words: [電子 カルテ], domain: medical }] }', /Japanese and Korean words alone/],
    [
      'a word in two lists',
      '{ words: [{ name: x, words: [Vega], domain: code }, { name: y, words: [vega], domain: legal }] }',
      /^error twice .*words\[1\].words\[0\]: the list x has "vega" too/,
    ],
    ['a list without labels', '{ words: [{ name: x, words: [Vega] }] }', /say at least one of task, domain, tier, level/],
    [
      'the same template twice',
      '{ templates: [{ name: x, system: You help Ann Lee at 9:00., tier: simple }, { name: y, system: You help Bob Ray at 8:30., tier: complex }] }',
      /^error twice .*templates\[1\]: template x is the same/,
    ],
    ['a template without a system prompt', '{ templates: [{ name: x, tier: simple }] }', /say exactly one of system, template/],
    ['an id that cannot be one', '{ templates: [{ name: x, template: abc, tier: simple }] }', /16 hexadecimal digits/],
    [
      'a name twice',
      '{ examples: [{ name: x, prompt: a b, task: code }, { name: x, prompt: c d, task: maths }] }',
      /^error twice .*name: there is another example called x/,
    ],
  ])('is refused with %s', (_what, classifier, message) => {
    expect(said(classifier).join('\n')).toMatch(message);
  });
});

describe('words and templates of a policy', () => {
  const words = '{ words: [{ name: clinic, words: [SOAP note, ICD-10, anamnes*, 電子カルテ], domain: medical, tier: complex }] }';
  const moved = async (classifier: string, prompt: string, system = ''): Promise<readonly (string | undefined)[]> => {
    const { verdict } = await recordOf(policy(classifier), prompt, system);
    return [verdict?.domain, verdict?.tier, ...(verdict?.signals ?? []).map(({ name }) => name).filter((name) => name !== 'text')];
  };

  it.each([
    ['put this in icd-10 please: broken arm'],
    ['Shorten the soap note below'],
    ['Wie lang soll eine Anamnese sein?'],
    ['電子カルテの使い方を教えて'],
  ])('give a question that has one the labels of its list: %s', async (prompt) => {
    expect(await moved(words, prompt)).toEqual(['medical', 'complex', 'words clinic']);
  });

  it('count as whole words of the question only', async () => {
    for (const prompt of [
      'Which soap is best for wool? Note the price.',
      `Name the month.\n\n${'ICD-10 is a list. '.repeat(80)}\n\nWhich month is named?`,
    ])
      expect((await moved(words, prompt)).slice(2)).toEqual([]);
  });

  const templates =
    '{ templates: [{ name: desk, system: "You are the desk bot of Acme Corp. Today is 3 May 2025.", tier: simple, domain: legal }], examples: [{ prompt: Prove that there are infinitely many primes., tier: complex, task: maths }] }';

  it('give all requests of an app its labels, above those of examples', async () => {
    const hard = 'Prove that there are infinitely many primes.';
    expect(await moved(templates, hard, 'You are the desk bot of Initech Inc. Today is 9 June 2026.')).toEqual([
      'legal',
      'simple',
      'example 1',
      'template desk',
    ]);
    expect((await moved(templates, hard, 'You are a teacher.')).slice(1)).toEqual(['complex', 'example 1']);
  });

  it('find a template by the id that the record has', async () => {
    const system = 'You are the desk bot of Acme Corp.';
    const id = templateOf({ system, toolNames: [], tools: 0 }, '');
    expect((await moved(`{ templates: [{ name: desk, template: ${id}, tier: complex }] }`, 'hi', system)).slice(1)).toEqual([
      'complex',
      'template desk',
    ]);
  });
});
