import { expect, it } from 'vitest';
import { lookThrough, pages, stepsOf, walk } from '../scripts/walk-docs.ts';

it('a newcomer who does what README and docs say gets through', { timeout: 1_800_000 }, async () => {
  const said: string[] = [];
  const failure = await walk(pages(), (text) => said.push(text));
  expect(failure).toBeNull();
  expect(said.filter((text) => text.startsWith('✓')).length).toBeGreaterThan(90);
  // Pages whose commands, servers and questions of the API are all walked, but for those that need somebody else's server.
  for (const page of ['ledger', 'replay', 'budgets', 'logs', 'page'])
    expect(said.filter((text) => text.startsWith(`✓ docs/${page}.md`)).length, page).toBeGreaterThan(2);
});

it('the walk sees commands, and what is wrong with those that it does not run', () => {
  expect(stepsOf('README.md').map(({ text }) => text)).toContain('npm run demo');
  expect(stepsOf('docs/ledger.md')).toContainEqual(expect.objectContaining({ text: 'GET /decisions/{id}', within: 'text' }));
  expect(lookThrough(['npm', 'run', 'nothing'].join(' '))).toBe('there is no script nothing');
  expect(lookThrough('cp deploy/nothing.yaml x')).toBe('there is no deploy/nothing.yaml');
  expect(lookThrough('bin/sluice train rows.jsonl --speed 9')).toBe('train has no --speed');
  expect(lookThrough('bin/sluice ledger mend')).toBe('there is no command mend');
  expect(lookThrough('bin/sluice train rows.jsonl --out x')).toBeNull();
});
