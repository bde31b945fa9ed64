import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../bench/processes.ts';
import { tamperDrill, tamperSummary, tamperTable } from '../bench/tamper/drill.ts';
import { tamperedClickHouse, tamperedPostgres } from '../bench/tamper/servers.ts';
import { clickhouseThere } from './support/clickhouse.ts';
import { postgresThere } from './support/postgres.ts';

it('notices every kind of tampering with key and log, and none where there is none; docs/tamper-drill.md says so', async () => {
  const report = await tamperDrill();
  expect(report.untouched).toBe(0);
  expect(report.seen.length).toBeGreaterThanOrEqual(30);
  expect(report.seen.filter(({ noticed }) => !noticed.both).map(({ name }) => name)).toEqual([]);
  const page = readFileSync(join(root, 'docs/tamper-drill.md'), 'utf8');
  expect(page).toContain(tamperSummary(report));
  expect(page).toContain(`${tamperTable(report)}\n\n<!-- /drill -->`);
});

// The whole drill takes a minute or two there. These are kinds that the copy, which verify reads, could hide.
const only = [
  "a row's cost is lowered",
  "a record's text and columns are changed",
  'a trigger changes what is written from now on',
  'a view stands in the place of the sums',
  'the table of rows is made again without its key, and has a row twice',
  'a writer is removed from the list, and its rows stay',
  'all settled sums are removed, as if nothing had ever been',
  'an older copy of the file is put in its place',
];

describe.each([
  ['PostgreSQL', postgresThere, tamperedPostgres],
  ['ClickHouse', clickhouseThere, tamperedClickHouse],
])('the ledger in %s', (name, there, start) => {
  it.skipIf(!there)(
    `is found altered, and not where nobody touched it${there ? '' : ` (skipped: no ${name})`}`,
    async () => {
      const server = await start();
      try {
        const report = await tamperDrill({ server, only });
        expect(report.untouched).toBe(0);
        expect(report.seen.map((seen) => seen.name).sort()).toEqual([...only].sort());
        expect(report.seen.filter(({ noticed, refused }) => !noticed.both || refused !== null)).toEqual([]);
        expect(report.seen.filter(({ noticed }) => !noticed.alone).map((seen) => seen.name)).toEqual([
          'an older copy of the file is put in its place',
        ]);
      } finally {
        await server.close();
      }
    },
    120_000,
  );
});
