import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { message } from '../src/budgets/notify.ts';
import { nano } from '../src/policy/budget-types.ts';
import { loadCatalog } from '../src/catalog/index.ts';
import { compilePolicy } from '../src/policy/compile.ts';

it('docs/budgets.md shows a good policy, its defaults and the messages as they are', async () => {
  const page = readFileSync(new URL('../docs/budgets.md', import.meta.url), 'utf8');
  const yaml = /```yaml\n([\s\S]*?)```/.exec(page)![1]!;
  const { generation, problems } = compilePolicy([{ name: 'policy.yaml', text: yaml }], { catalog: await loadCatalog() });
  expect(problems).toEqual([]);
  const [team, users, large] = generation!.budgets;
  expect([team!.hard!.cheaperAt, users!.soft, large!.unknown]).toEqual([450 * nano, [80, 100], 0.05 * nano]);
  const shown = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)![1]!) as { at: string; period: { start: string; end: string } };
  const { start, end } = team!.calendar.at(Date.parse(shown.at));
  const counter = { id: `team-a ${start} []`, budget: 'team-a', values: [], start, end };
  expect(
    message(
      { kind: 'threshold', budget: team!, counter, percent: 80, state: { spent: 401.22 * nano, reserved: 0.11 * nano } },
      Date.parse(shown.at),
    ),
  ).toEqual(shown);
});

it('docs/rate-limits.md shows a good policy', async () => {
  const page = readFileSync(new URL('../docs/rate-limits.md', import.meta.url), 'utf8');
  const { generation, problems } = compilePolicy([{ name: 'policy.yaml', text: /```yaml\n([\s\S]*?)```/.exec(page)![1]! }], {
    catalog: await loadCatalog(),
  });
  expect(problems).toEqual([]);
  expect(generation!.rateLimits.map(({ name, measures, soft }) => [name, measures.length, soft])).toEqual([
    ['each-user', 4, false],
    ['teams', 1, false],
    ['large-model', 2, false],
    ['batch-jobs', 1, true],
  ]);
});
