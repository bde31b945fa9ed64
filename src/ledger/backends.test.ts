import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { backendOf, shownPlace } from './backends.ts';

it('takes URLs of PostgreSQL and ClickHouse for databases, and all else for a file', () => {
  expect(
    ['postgres://h/d', 'postgresql://u:p@h/d', 'clickhouse://u:p@h:8123/d', '/var/lib/ledger.db', 'postgres', './postgres://x'].map(
      (place) => backendOf(place).name,
    ),
  ).toEqual(['PostgreSQL', 'PostgreSQL', 'ClickHouse', 'SQLite', 'SQLite', 'SQLite']);
});

it('shows no password', () => {
  expect(shownPlace('postgres://sluice:hush@db:5432/ledger')).toBe('postgres://sluice@db:5432/ledger');
  expect(shownPlace('/var/lib/a:b@c.db')).toBe('/var/lib/a:b@c.db');
});

it('a file cannot be away, a database that refuses connections is', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  expect(backendOf('/l.db').isAway(refused)).toBe(false);
  expect(backendOf('postgres://h/d').isAway(refused)).toBe(true);
  expect(backendOf('postgres://h/d').isAway(Object.assign(new Error('wrong password'), { code: '28P01' }))).toBe(false);
});

it('is the only one that knows which kinds there are', () => {
  const source = join(import.meta.dirname, '..');
  const named = globSync('**/*.ts', {
    cwd: source,
    exclude: ['**/*.test.ts', 'ledger/backends.ts', 'ledger/postgres/**', 'ledger/clickhouse/**'],
  }).filter((file) =>
    /ledger\/(?:postgres|clickhouse)|'\.\/(?:postgres|clickhouse)\/|isPostgres/.test(readFileSync(join(source, file), 'utf8')),
  );
  expect(named).toEqual([]);
});
