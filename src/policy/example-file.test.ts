import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadCatalog } from '../catalog/index.ts';
import { limits } from '../lib/limits.ts';
import { compilePolicy } from './compile.ts';
import { readPolicyFiles } from './source.ts';
import { FilePolicyStore, renderProblems } from './store.ts';

const catalog = await loadCatalog();
const policy = `version: 1
defaults:
  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }
  classifier: { file: team.jsonl }
`;
const line = (row: object): string => `${JSON.stringify(row)}\n`;
const good = line({ id: 7, prompt: 'Draft the stand-up note for team Osprey', expected_tier: 'simple', task: 'writing' });

describe('a file of examples beside the policy', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-examples-'));
    writeFileSync(join(folder, 'policy.yaml'), policy);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const teach = (text: string): void => {
    writeFileSync(join(folder, 'team.jsonl'), text);
  };
  const problems = (path = folder): string =>
    renderProblems(compilePolicy(readPolicyFiles(path), { catalog }).problems).replaceAll(`${folder}/`, '');

  it('is read with the file and with the folder; other .jsonl files are not', () => {
    teach(good);
    writeFileSync(join(folder, 'other.jsonl'), 'nonsense');
    for (const path of [folder, join(folder, 'policy.yaml')]) {
      expect(readPolicyFiles(path).map(({ name }) => name.slice(folder.length + 1))).toEqual(['policy.yaml', 'team.jsonl']);
      expect(problems(path)).toBe('');
    }
  });

  it.each([
    ['{"prompt":"a b","task":"coding"}', '1:1 error example-line at task: "coding" is no task. Did you mean code?'],
    ['nonsense', '1:1 error example-line: this line is no JSON object. Write one object a line'],
    ['\n{"task":"code"}', '2:1 error example-line at prompt: prompt is missing. Add it'],
    ['{"prompt":" ","task":"code"}', '1:1 error example-line at prompt: the prompt is empty.'],
    [`{"prompt":"${'x'.repeat(limits.examplePromptUnits + 1)}","task":"code"}`, 'the prompt has more than 8000 characters'],
    ['{"prompt":"x","level":9}', '1:1 error example-line at level: the level is no number from 1 to 5'],
    ['{"prompt":"x","task":"agent"}', '1:1 error example-line: say at least one of task, domain, tier, level'],
    ['{"prompt":"x","expected_tier":"hard"}', 'at expected_tier: "hard" is no tier. Did you mean complex?'],
    ['{"prompt":"x","name":"Big","tier":"simple"}', 'at name: this name cannot stand in a record'],
    [
      `${good}{"prompt":"draft the stand-up note for team osprey","tier":"complex"}`,
      '2:1 error twice at prompt: example line-1 has the same prompt',
    ],
    ['\n\n', '1:1 error example-line: there is no example in this file'],
    [`{"prompt":"my key is sk-proj-${'aB3'.repeat(16)}","task":"code"}`, '1:1 error secret: this looks like'],
  ])('names the line of a mistake: %#', (text, message) => {
    teach(text);
    expect(problems()).toContain(text.includes('\n{') && message.startsWith('2:') ? `team.jsonl:${message}` : message);
  });

  it('takes as many examples as a section may have, and says how many are too many', () => {
    const rows = (count: number): string =>
      Array.from({ length: count }, (_, at) => line({ prompt: `ask number ${at}`, task: 'code' })).join('');
    teach(rows(limits.classifierExamples));
    expect(problems()).toBe('');
    teach(rows(limits.classifierExamples + 1));
    expect(problems()).toMatch(
      /policy\.yaml:4:\d+ error range at defaults\.classifier\.file: team\.jsonl has 501 examples, .* a section takes 500/,
    );
  });

  it('counts towards the size of a policy', () => {
    teach(line({ prompt: 'x', task: 'code', note: 'y'.repeat(limits.policyBytes) }));
    expect(problems()).toContain('too-large');
  });

  it('is reloaded with the policy: a good edit is in force, a bad one is refused, a missing file too', async () => {
    teach(good);
    const store = new FilePolicyStore({ path: folder, catalog, watch: true });
    const moved = (): boolean => store.current().section('default', 'openai').classifier.taught !== null;
    try {
      const first = store.current().hash;
      teach(good.replace('Osprey', 'Kestrel'));
      await vi.waitFor(() => expect(store.current().hash).not.toBe(first), 5_000);
      expect(moved()).toBe(true);
      const second = store.current().hash;
      teach('nonsense');
      await vi.waitFor(() => expect(store.lastRefusal()?.problems[0]?.code).toBe('example-line'), 5_000);
      rmSync(join(folder, 'team.jsonl'));
      await vi.waitFor(() => expect(store.lastRefusal()?.problems[0]?.code).toBe('no-file'), 5_000);
      expect(store.current().hash).toBe(second);
      teach(good);
      await vi.waitFor(() => expect(store.current().hash).toBe(first), 5_000);
    } finally {
      await store.close();
    }
  });

  it('may be a key of the same ConfigMap, with the lines of its manifest', () => {
    const manifest = (rows: string): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: llm }\ndata:\n  policy.yaml: |\n${policy.replace(/^(?=.)/gm, '    ')}  team.jsonl: |\n${rows.replace(/^(?=.)/gm, '    ')}`;
    const file = join(folder, 'configmap.yaml');
    writeFileSync(file, manifest(good));
    expect(problems(file)).toBe('');
    writeFileSync(file, manifest(`${good}{"prompt":"x","task":"coding"}\n`));
    expect(problems(file)).toContain('configmap.yaml#team.jsonl:12:5 error example-line at task: "coding" is no task');
  });
});
