import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { defaultModelFile, readModel } from '../router/model/file.ts';
import { registerEvaluate } from './evaluate.ts';
import { registerScore } from './score.ts';
import { loadCatalog } from '../catalog/index.ts';
import { compilePolicy } from '../policy/compile.ts';
import { registerLearning } from './learning.ts';
import { sluiceProgram } from './program.ts';
import { registerSimulateLearning } from './simulate-learning.ts';
import { registerTrain } from './train.ts';

// Cells of tables are padded.
const page = readFileSync(new URL('../../docs/learned-routing.md', import.meta.url), 'utf8').replaceAll(/ +\|/g, ' |');

test('every command and flag on the page exists', () => {
  const program = new Command();
  for (const register of [registerTrain, registerScore, registerEvaluate]) register(program);
  const lines = [...page.matchAll(/^bin\/sluice (.*?)(?:\s+#.*)?$/gm)].map(([, line]) => line!.split(/\s+/));
  expect(lines.length).toBeGreaterThanOrEqual(4);
  for (const [name, ...words] of lines) {
    const command = program.commands.find((one) => one.name() === name);
    expect(command, name).toBeDefined();
    for (const word of words.filter((one) => one.startsWith('--')))
      expect(
        command!.options.map(({ long }) => long),
        `${name!} ${word}`,
      ).toContain(word);
  }
});

test('the figures on the page are those of the shipped model', async () => {
  const { card } = (await readModel(defaultModelFile)).header;
  for (const figures of [card.home, card.away!, card.newSources!]) {
    expect(page).toContain(
      `| ${figures.apgr.toFixed(3)} | ${figures.ece.toFixed(3)} | ${(figures.weakShareAt1 * 100).toFixed(1)}% | ${(figures.weakShareAt3 * 100).toFixed(1)}% |`,
    );
  }
  for (const { rows } of card.sources) expect(page).toContain(` ${rows.toLocaleString('en-US')} |`);
});

test('the policy on the page is a good one', async () => {
  const [, text] = /```yaml\n(version: 1[\s\S]*?)```/.exec(page)!;
  const { generation, problems } = compilePolicy([{ name: 'policy.yaml', text: text! }], { catalog: await loadCatalog() });
  expect(problems).toEqual([]);
  expect(generation!.section('', 'openai').learned).toMatchObject({ weak: { model: 'gpt-5-nano' }, maxLoss: 0.02, uncalibrated: 'shadow' });
});

test('the page on learning shows a policy that compiles, and commands that exist', async () => {
  const learning = readFileSync(new URL('../../docs/learning.md', import.meta.url), 'utf8');
  const [, yaml] = /```yaml\n([^]*?)```/.exec(learning)!;
  const compiled = compilePolicy([{ name: 'learning.md', text: yaml! }], { catalog: await loadCatalog() });
  expect(compiled.generation, JSON.stringify(compiled.problems)).not.toBeNull();
  const program = new Command();
  registerLearning(program);
  registerSimulateLearning(program);
  for (const [, flags] of learning.matchAll(/^bin\/sluice simulate-learning (.*?)(?:\s+#.*)?$/gm)) {
    for (const [flag] of flags!.matchAll(/--\S+/g)) expect(program.commands[1]!.options.map(({ long }) => long)).toContain(flag);
  }
  const known = program.commands[0]!.commands;
  const lines = [...learning.matchAll(/^bin\/sluice learning (\S+)(.*?)(?:\s+#.*)?$/gm)];
  expect(lines).toHaveLength(4);
  for (const [, name, rest] of lines) {
    const command = known.find((one) => one.name() === name);
    for (const [flag] of rest!.matchAll(/--\S+/g)) expect(command!.options.map(({ long }) => long)).toContain(flag);
  }
});

test('the program has the commands of both pages', async () => {
  const names = (await sluiceProgram()).commands.map((command) => command.name());
  expect(names).toEqual(expect.arrayContaining(['train', 'score', 'evaluate', 'learning', 'simulate-learning']));
});
