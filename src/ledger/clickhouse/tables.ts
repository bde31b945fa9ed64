import { dayMs, hourMs, none } from '../rollup.ts';
import { moneySums, rollupKeys, rollupSums, type RollupSum } from '../sqlite/database.ts';
import type { LedgerTarget } from '../target.ts';
import { columnNames, columnTypes, joinColumns, type LedgerColumns } from '../types.ts';
import { unusable } from '../unusable.ts';
import { ClickHouse } from './connect.ts';

/** Version of the tables. */
const version = 1;

/** Texts with few different values. */
const few: ReadonlySet<keyof LedgerColumns> = new Set<keyof LedgerColumns>([
  'workspace',
  'api',
  'requested_provider',
  'requested_model',
  'provider',
  'model',
  'tier',
  'reason',
  'rule',
  'outcome',
  'cache',
  'policy',
  'unknown',
]);

const typeOf = (name: keyof LedgerColumns): string => {
  if (columnTypes[name] === 'whole') return 'Nullable(Int64)';
  if (columnTypes[name] === 'real') return 'Nullable(Float64)';
  return few.has(name) ? 'LowCardinality(Nullable(String))' : 'Nullable(String)';
};

const derived: Readonly<Record<RollupSum, string>> = {
  n: 'count()',
  retried: 'countIf(e.attempts > 1)',
  cost: 'sum(coalesce(e.cost, 0))',
  cost_known: 'count(e.cost)',
  cost_unknown: 'countIf(e.cost IS NULL)',
  baseline: 'sum(coalesce(e.baseline, 0))',
  baseline_known: 'count(e.baseline)',
  savings: 'sum(coalesce(e.savings, 0))',
  savings_known: 'count(e.savings)',
  savings_unknown: 'countIf(e.savings IS NULL)',
  input: 'sum(coalesce(e.input, 0))',
  output: 'sum(coalesce(e.output, 0))',
  usage_unknown: 'countIf(e.input IS NULL)',
  compared_cost: 'sum(if(e.savings IS NULL, 0, coalesce(e.cost, 0)))',
};

/** SQL for the cells that the exchanges of `entries` (`e`) add up to, in buckets of `ms`, under the names of a roll-up's columns. */
export function cellsSelect(ms: number, condition: string): string {
  return `SELECT e.at - e.at % ${ms} AS at, ${rollupKeys.map((key) => `coalesce(e.${key}, '${none}') AS ${key}`).join(', ')}, ${rollupSums.map((sum) => `${derived[sum]} AS ${sum}`).join(', ')}
    FROM entries AS e WHERE e.kind = 'exchange' AND e.body IS NOT NULL AND ${condition} GROUP BY e.at - e.at % ${ms}, ${rollupKeys.map((key) => `coalesce(e.${key}, '${none}')`).join(', ')}`;
}

const rollup = (name: string, ms: number): string[] => [
  `CREATE TABLE IF NOT EXISTS ${name} (at Int64, ${rollupKeys.map((key) => `${key} LowCardinality(String)`).join(', ')},
    ${rollupSums.map((sum) => `${sum} ${moneySums.has(sum) ? 'Float64' : 'Int64'}`).join(', ')})
    ENGINE = SummingMergeTree PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(at, 'UTC')) ORDER BY (at, ${rollupKeys.join(', ')})
    SETTINGS non_replicated_deduplication_window = 1000`,
  `CREATE MATERIALIZED VIEW IF NOT EXISTS ${name}_view TO ${name} AS ${cellsSelect(ms, 'true')}`,
];

/** The columns of a row, in the order of inserts. `day`: when it was written, in days since the epoch. */
export const rowNames = ['writer', 'seq', 'kind', 'at', 'day', ...columnNames, 'salt', 'body', 'content', 'hash'] as const;

/**
 * Like the tables in SQLite; a writer is named by its id, and salts and hashes are hex. Each day of writing is a partition. Tables whose
 * rows change keep the newest by `v`. `heads` has the end of every chain. `settled` has what each removal added to an hour, by `source`,
 * so that one that is repeated counts once.
 */
const tables: readonly string[] = [
  'CREATE TABLE IF NOT EXISTS ledger_version (version UInt32) ENGINE = MergeTree ORDER BY version',
  `CREATE TABLE IF NOT EXISTS writers (id String, host String, pid UInt32, started Int64, closed Nullable(Int64), alive Int64, v UInt64)
    ENGINE = ReplacingMergeTree(v) ORDER BY id`,
  `CREATE TABLE IF NOT EXISTS entries (writer LowCardinality(String), seq UInt64, kind LowCardinality(String), at Int64 CODEC(Delta, ZSTD(1)), day UInt16,
    ${columnNames.map((name) => `"${name}" ${typeOf(name)}`).join(', ')},
    salt Nullable(String), body Nullable(String) CODEC(ZSTD(3)), content String, hash String,
    INDEX times at TYPE minmax GRANULARITY 1,
    ${['id', 'user', ...joinColumns].map((name) => `INDEX has_${name} "${name}" TYPE bloom_filter GRANULARITY 4`).join(', ')})
    ENGINE = MergeTree PARTITION BY day ORDER BY (writer, seq)
    SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1`,
  ...rollup('by_hour', hourMs),
  ...rollup('by_day', dayMs),
  'CREATE TABLE IF NOT EXISTS heads (writer String, seq UInt64, hash String, at Int64) ENGINE = ReplacingMergeTree(seq) ORDER BY writer SETTINGS non_replicated_deduplication_window = 1000',
  `CREATE MATERIALIZED VIEW IF NOT EXISTS heads_view TO heads AS SELECT e.writer AS writer, max(e.seq) AS seq, argMax(e.hash, e.seq) AS hash, argMax(e.at, e.seq) AS at
    FROM entries AS e GROUP BY e.writer`,
  'CREATE TABLE IF NOT EXISTS pruned (writer String, seq UInt64, hash String) ENGINE = ReplacingMergeTree(seq) ORDER BY writer',
  `CREATE TABLE IF NOT EXISTS checkpoints (writer String, seq UInt64, hash String, at String, signature Nullable(String), v UInt64)
    ENGINE = ReplacingMergeTree(v) ORDER BY (writer, seq)`,
  'CREATE TABLE IF NOT EXISTS settled (source String, at Int64, body String, v UInt64) ENGINE = ReplacingMergeTree(v) ORDER BY (source, at)',
  'CREATE TABLE IF NOT EXISTS settled_head (only_one UInt8, n UInt64, root String, since Int64) ENGINE = ReplacingMergeTree(n) ORDER BY only_one',
  'CREATE TABLE IF NOT EXISTS leases (name String, holder String, until Int64, v UInt64) ENGINE = ReplacingMergeTree(v) ORDER BY name',
  'CREATE TABLE IF NOT EXISTS doomed (run String, writer String, seq UInt64) ENGINE = MergeTree ORDER BY (run, writer, seq)',
];

/** Connects, and in `write` mode creates missing tables. Throws SluiceError if they are of another version. */
export async function openClickHouse(target: LedgerTarget, mode: 'write' | 'readonly'): Promise<ClickHouse> {
  const client = new ClickHouse(target);
  try {
    const versions = (): Promise<{ version: number }[]> =>
      client.ask('SELECT max(version) AS version, count() AS n FROM ledger_version HAVING n > 0');
    if (mode === 'write') {
      for (const sql of tables) await client.command(sql);
      if ((await versions()).length === 0) await client.insert('ledger_version', ['version'], `[${version}]`);
    }
    const found = (await versions())[0]?.version;
    if (found !== version) throw new Error(`its tables have version ${found ?? 'none'}, this Sluice reads version ${version}`);
    return client;
  } catch (error) {
    await client.close();
    throw unusable(target.place, error);
  }
}
