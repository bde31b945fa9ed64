import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { defaultModelFile, readModel } from '../classify/learned/file.ts';
import { registerEvaluate } from './evaluate.ts';
import { registerScore } from './score.ts';
import { registerTrain } from './train.ts';
import { loadCatalog } from '../catalog/index.ts';
import { compilePolicy } from '../policy/compile.ts';

const page = readFileSync(new URL('../../docs/learned-routing.md', import.meta.url), 'utf8');

test('every command and flag on the page exists', () => {
  const program = new Command();
  for (const register of [registerTrain, registerScore, registerEvaluate]) register(program);
  const lines = [...page.matchAll(/^bin\/sluice (.*?)(?:\s+#.*)?$/gm)].map(([, line]) => line!.split(/\s+/));
  expect(lines.length).toBeGreaterThanOrEqual(4);
  for (const [name, ...words] of lines) {
    const command = program.commands.find((one) => one.name() === name);
    expect(command, name).toBeDefined();
    for (const word of words.filter((one) => one.startsWith('--'))) expect(command!.options.map(({ long }) => long), `${name!} ${word}`).toContain(word);
  }
});

test('the figures on the page are those of the shipped model', async () => {
  const { card } = (await readModel(defaultModelFile)).header;
  for (const figures of [card.home, card.away!]) {
    expect(page).toContain(`| ${figures.apgr.toFixed(3)} | ${figures.ece.toFixed(3)} | ${(figures.weakShareAt1 * 100).toFixed(1)}% | ${(figures.weakShareAt3 * 100).toFixed(1)}% |`);
  }
  for (const { rows } of card.sources) expect(page).toContain(` ${rows.toLocaleString('en-US')} |`);
});

test('the policy on the page is a good one', async () => {
  const [, text] = /```yaml\n(version: 1[\s\S]*?)```/.exec(page)!;
  const { generation, problems } = compilePolicy([{ name: 'policy.yaml', text: text! }], { catalog: await loadCatalog() });
  expect(problems).toEqual([]);
  expect(generation!.section('', 'openai').learned).toMatchObject({ weak: { model: 'gpt-5-nano' }, maxLoss: 0.02, uncalibrated: 'shadow' });
});
