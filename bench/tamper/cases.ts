import { copyFileSync, rmSync } from 'node:fs';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { openDatabase, type Db } from '../../src/ledger/sqlite/database.ts';
import { LedgerWriter } from '../../src/ledger/sqlite/store.ts';
import { atTime, dayMs, exchanges, start, type Base } from './base.ts';
import { addRow, rehash, resettle, resum, rewrite } from './hands.ts';

export interface Tampering {
  readonly name: string;
  /** Changes the ledger in this file. */
  readonly work: (db: Db, base: Base) => void;
}

const sql = (name: string, text: string): Tampering => ({ name, work: (db) => void db.exec(text) });

/** A row of writer 2 (killed) whose content is there, by its number. */
const row = 3;
const free = { known: true, usd: 0 } as const;

/** Writers: 1 closed, its oldest rows removed; 2 was killed; 3 erased, pruned and closed. */
export const tamperings: readonly Tampering[] = [
  sql("a row's cost is lowered", `UPDATE entries SET cost = 0.01 WHERE writer = 2 AND seq = ${row}`),
  sql(
    "a row's baseline is raised",
    `UPDATE entries SET baseline = baseline * 10, savings = baseline * 10 - cost WHERE writer = 2 AND seq = ${row}`,
  ),
  sql('a row is moved to another team', `UPDATE entries SET workspace = 'red' WHERE writer = 2 AND seq = 2`),
  sql('a row is moved to another user', `UPDATE entries SET "user" = '9999999999999999' WHERE writer = 2 AND seq = ${row}`),
  { name: "a record's text and columns are changed", work: (db) => rewrite(db, 2, row, (record) => ({ ...record, cost: free })) },
  {
    name: "a record is changed, and its row's hashes are made right",
    work: (db) => {
      rewrite(db, 2, row, (record) => ({ ...record, cost: free }));
      const after = db
        .prepare<[], Buffer>(`SELECT hash FROM entries WHERE writer = 2 AND seq = ${row + 1}`)
        .pluck()
        .get();
      rehash(db, 2, row);
      db.prepare(`UPDATE entries SET hash = ? WHERE writer = 2 AND seq = ${row + 1}`).run(after);
    },
  },
  {
    name: 'a record is changed, and all hashes after it and all sums are made right',
    work: (db) => {
      rewrite(db, 2, row, (record) => ({ ...record, cost: free, savings: record.baseline }));
      rehash(db, 2, row);
      resum(db);
    },
  },
  {
    name: 'the same, and the checkpoints after it are removed',
    work: (db) => {
      rewrite(db, 3, 4, (record) => ({ ...record, cost: free, savings: record.baseline }));
      rehash(db, 3, 4);
      resum(db);
      db.exec('DELETE FROM checkpoints WHERE writer = (SELECT id FROM writers WHERE n = 3)');
    },
  },
  sql('a row in the middle is removed', `DELETE FROM entries WHERE writer = 2 AND seq = ${row}`),
  sql("a chain's first row is removed", 'DELETE FROM entries WHERE writer = 2 AND seq = 1'),
  sql('the last rows of a closed chain are removed', 'DELETE FROM entries WHERE writer = 3 AND seq > 12'),
  {
    name: 'the last rows are removed, the writer is shown as running, and the sums are made right',
    work: (db) => {
      db.exec(
        'DELETE FROM entries WHERE writer = 3 AND seq > (SELECT min(c.seq) FROM checkpoints c JOIN writers w ON w.id = c.writer WHERE w.n = 3); DELETE FROM checkpoints WHERE rowid = (SELECT max(rowid) FROM checkpoints); UPDATE writers SET closed = NULL WHERE n = 3',
      );
      resum(db);
    },
  },
  {
    name: 'a whole chain is removed, and the sums are made right',
    work: (db) => {
      db.exec(
        'DELETE FROM entries WHERE writer = 2; DELETE FROM checkpoints WHERE writer = (SELECT id FROM writers WHERE n = 2); DELETE FROM writers WHERE n = 2',
      );
      resum(db);
    },
  },
  sql(
    'two rows change places',
    `UPDATE entries SET seq = -1 WHERE writer = 2 AND seq = 3; UPDATE entries SET seq = 3 WHERE writer = 2 AND seq = 4; UPDATE entries SET seq = 4 WHERE writer = 2 AND seq = -1`,
  ),
  {
    name: 'an exchange that never was is added to a killed chain, with hashes and sums right',
    work: (db) => {
      addRow(db, 2, { kind: 'exchange', at: start + 7 * dayMs, body: exchanges(start + 7 * dayMs)[0]! });
      resum(db);
    },
  },
  {
    name: 'a chain that never was is added, with hashes and sums right',
    work: (db) => {
      const writer = new LedgerWriter(db, { version: 'drill' });
      writer.append(exchanges(start + 8 * dayMs));
      writer.close();
      resum(db);
    },
  },
  sql('the time of an exchange is moved by a day', `UPDATE entries SET at = at - ${dayMs} WHERE writer = 2 AND seq = ${row}`),
  sql('an exchange is shown as a grade', `UPDATE entries SET kind = 'grade' WHERE writer = 2 AND seq = ${row}`),
  sql(
    'a row is emptied as if it had been erased',
    `UPDATE entries SET salt = NULL, body = NULL, id = NULL, workspace = NULL, cost = NULL WHERE writer = 2 AND seq = ${row}`,
  ),
  {
    name: 'a row is emptied, and an erasure that never was is added',
    work: (db) => {
      const columns = (db.pragma('table_info(entries)') as { name: string }[])
        .map(({ name }) => name)
        .filter((name) => !['writer', 'seq', 'kind', 'at', 'content', 'hash'].includes(name));
      db.exec(`UPDATE entries SET ${columns.map((name) => `"${name}" = NULL`).join(', ')} WHERE writer = 2 AND seq = ${row}`);
      const id = db.prepare<[], string>('SELECT id FROM writers WHERE n = 2').pluck().get()!;
      addRow(db, 3, {
        kind: 'erase',
        at: start + 10 * dayMs,
        body: JSON.stringify({ reason: 'asked for', rows: [{ writer: id, seqs: [row] }] }),
      });
      resum(db);
    },
  },
  sql('the entry of an erasure is emptied', `UPDATE entries SET salt = NULL, body = NULL WHERE kind = 'erase'`),
  sql('the reason of an erasure is changed', `UPDATE entries SET body = replace(body, 'asked for', 'by law') WHERE kind = 'erase'`),
  sql("a grade's score is raised", `UPDATE entries SET body = replace(body, '0.25', '1') WHERE kind = 'grade' AND writer = 2`),
  sql(
    'a grade is moved to another decision',
    `UPDATE entries SET id = (SELECT id FROM entries WHERE writer = 2 AND seq = 3) WHERE kind = 'grade' AND writer = 2`,
  ),
  sql(
    'the number of dropped records is lowered',
    `UPDATE entries SET body = replace(body, '"dropped":7', '"dropped":1') WHERE kind = 'gap'`,
  ),
  sql('the entry of a killed writer is removed', `DELETE FROM entries WHERE writer = 3 AND kind = 'gap' AND body LIKE '%killed%'`),
  sql("hours' costs are doubled", 'UPDATE by_hour SET cost = cost * 2'),
  sql("days' costs are doubled", 'UPDATE by_day SET cost = cost * 2'),
  sql("hours' baselines are raised", 'UPDATE by_hour SET baseline = baseline + 1'),
  sql(
    "days' savings are raised, and what they would have cost with them",
    'UPDATE by_day SET savings = savings + 5, baseline = baseline + 5',
  ),
  sql("days' compared costs are lowered", 'UPDATE by_day SET compared_cost = compared_cost / 2'),
  sql(
    "a team's sums are given to another",
    `UPDATE by_day SET workspace = 'green' WHERE workspace = 'blue'; UPDATE by_hour SET workspace = 'green' WHERE workspace = 'blue'`,
  ),
  sql(
    "a team's sums are hidden among others",
    `UPDATE by_day SET workspace = 'other', requested_model = 'other', model = 'other' WHERE workspace = 'blue'`,
  ),
  sql("a day's sums are removed", `DELETE FROM by_day WHERE at = (SELECT max(at) FROM by_day)`),
  sql(
    'sums of a day that never was are added',
    `INSERT INTO by_day SELECT at + ${20 * dayMs}, workspace, requested_model, provider, model, tier, reason, outcome, cache, n, retried, cost, cost_known, cost_unknown, baseline, baseline_known, savings, savings_known, savings_unknown, input, output, usage_unknown, compared_cost FROM by_day LIMIT 1`,
  ),
  sql(
    'sums whose rows are gone are raised',
    `UPDATE by_day SET savings = savings + 9 WHERE at = (SELECT min(at) FROM by_day); UPDATE by_hour SET savings = savings + 9 WHERE at = (SELECT min(at) FROM by_hour)`,
  ),
  sql(
    'sums whose rows are gone are removed',
    `DELETE FROM by_day WHERE at = (SELECT min(at) FROM by_day); DELETE FROM by_hour WHERE at = (SELECT min(at) FROM by_hour); DELETE FROM settled WHERE at = (SELECT min(at) FROM settled)`,
  ),
  {
    name: 'settled sums are changed, with their hashes, their head and the sums made right',
    work: (db) => {
      db.exec(
        `DELETE FROM by_day WHERE at = (SELECT min(at) FROM by_day); DELETE FROM by_hour WHERE at = (SELECT min(at) FROM by_hour); DELETE FROM settled WHERE at = (SELECT min(at) FROM settled)`,
      );
      resettle(db);
    },
  },
  sql('all settled sums are removed, as if nothing had ever been', 'DELETE FROM settled; DELETE FROM settled_head'),
  sql("a checkpoint's hash is changed", `UPDATE checkpoints SET hash = replace(hash, substr(hash, 1, 4), '0000') WHERE rowid = 1`),
  sql("a checkpoint's time is moved", `UPDATE checkpoints SET at = '2026-01-01T00:00:00.000Z'`),
  sql('all checkpoints are removed', 'DELETE FROM checkpoints'),
  {
    name: 'checkpoints are signed by another key',
    work: (db) => {
      const { privateKey } = generateKeyPairSync('ed25519');
      db.exec('DELETE FROM checkpoints');
      new LedgerWriter(db, { version: 'drill' }).checkpoint(privateKey);
    },
  },
  sql(
    'older rows are removed, and the table of cut chains is changed',
    `DELETE FROM entries WHERE writer = 1 AND seq < 25; UPDATE pruned SET seq = 24, hash = (SELECT hex(hash) FROM entries WHERE writer = 1 AND seq = 25)`,
  ),
  sql('the table of cut chains is emptied', 'DELETE FROM pruned'),
  sql('a writer is shown on another host', `UPDATE writers SET host = 'elsewhere' WHERE n = 2`),
  sql('a writer is removed from the list, and its rows stay', 'DELETE FROM writers WHERE n = 2'),
  sql(
    'a trigger changes what is written from now on',
    `CREATE TRIGGER quiet AFTER INSERT ON by_day BEGIN UPDATE by_day SET cost = 0 WHERE at = new.at; END`,
  ),
  sql('a view stands in the place of the sums', `ALTER TABLE by_day RENAME TO real_days; CREATE VIEW by_day AS SELECT * FROM real_days`),
  sql(
    'two rows that cost the same change their contents',
    `UPDATE entries SET seq = -1 WHERE writer = 2 AND seq = 2; UPDATE entries SET seq = 2, at = at - ${dayMs} WHERE writer = 2 AND seq = 7; UPDATE entries SET seq = 7, at = at + ${dayMs} WHERE writer = 2 AND seq = -1`,
  ),
  {
    name: "a team's day is removed, and its chain is numbered and hashed again, with sums right",
    work: (db) => {
      db.exec(
        `DELETE FROM entries WHERE writer = 2 AND workspace = 'blue' AND at < ${start + 7 * dayMs}; CREATE TEMP TABLE o AS SELECT seq, row_number() OVER (ORDER BY seq) AS now FROM entries WHERE writer = 2; UPDATE entries SET seq = (SELECT -now FROM o WHERE o.seq = entries.seq) WHERE writer = 2; UPDATE entries SET seq = -seq WHERE writer = 2; DROP TABLE o`,
      );
      rehash(db, 2);
      resum(db);
    },
  },
  sql(
    'a part of a record that no column shows is changed',
    `UPDATE entries SET body = json_set(body, '$.request.promptTokens', 1, '$.decision.reason', 'pinned') WHERE writer = 2 AND seq = ${row}`,
  ),
  sql(
    'a second cost is written into a record before the first',
    `UPDATE entries SET body = '{"cost":{"known":true,"usd":0},' || substr(body, 2) WHERE writer = 2 AND seq = ${row}`,
  ),
  {
    name: 'the times of the rows that no checkpoint covers are moved by a month, with hashes and sums right',
    work: (db) => {
      const unsigned = db
        .prepare<[], number>("SELECT seq FROM entries WHERE writer = 2 AND kind = 'exchange' AND seq > 6 AND body IS NOT NULL")
        .pluck()
        .all();
      for (const seq of unsigned) {
        rewrite(db, 2, seq, (record) => ({ ...record, time: new Date(Date.parse(record.time) + 31 * dayMs).toISOString() }));
        db.prepare(`UPDATE entries SET at = at + ${31 * dayMs} WHERE writer = 2 AND seq = ?`).run(seq);
      }
      rehash(db, 2, 7);
      resum(db);
    },
  },
  {
    name: 'the rows that no checkpoint covers cost nothing, with hashes and sums right',
    work: (db) => {
      for (const seq of [7, 8, 10]) rewrite(db, 2, seq, (record) => ({ ...record, cost: free, savings: record.baseline }));
      rehash(db, 2, 7);
      resum(db);
    },
  },
  sql(
    'a signed checkpoint is said to be of a later row',
    `UPDATE checkpoints SET seq = seq + 1 WHERE rowid = (SELECT min(c.rowid) FROM checkpoints c JOIN writers w ON w.id = c.writer WHERE w.n = 2)`,
  ),
  {
    name: 'checkpoints without a signature are added for a forged end, with hashes and sums right',
    work: (db) => {
      addRow(db, 3, { kind: 'exchange', at: start + 9 * dayMs, body: exchanges(start + 9 * dayMs)[1]! });
      new LedgerWriter(db, { version: 'drill' }).checkpoint(null);
      resum(db);
    },
  },
  {
    name: 'a ledger of another deployment is merged in, with its own signed checkpoints and with sums right',
    work: (db) => {
      const writer = new LedgerWriter(db, { version: 'drill' });
      writer.append(exchanges(start + 9 * dayMs));
      writer.checkpoint(generateKeyPairSync('ed25519').privateKey);
      writer.close();
      resum(db);
    },
  },
  {
    name: 'a ledger that the same key signs is merged in, with sums right',
    work: (db, { file, key }) => {
      merge(db, `${file}.other`, key, start + 9 * dayMs);
      resum(db);
    },
  },
  {
    name: 'an older ledger that the same key signs is merged in, with sums right',
    work: (db, { file, key }) => {
      merge(db, `${file}.other`, key, start - 100 * dayMs);
      resum(db);
    },
  },
  {
    name: "a team is erased by Sluice's own code, without the key",
    work: (db) => {
      const writer = new LedgerWriter(db, { version: 'drill' });
      writer.erase({ workspace: 'red' }, 'asked for');
      writer.close();
    },
  },
  {
    name: "older rows are removed by Sluice's own code, without the key",
    work: (db) => {
      const writer = new LedgerWriter(db, { version: 'drill' });
      writer.prune({ rowsMs: dayMs, rollupsMs: 400 * dayMs }, start + 10 * dayMs);
      writer.close();
    },
  },
  sql(
    'two teams change places in the sums of a day',
    `UPDATE by_day SET workspace = 'x' WHERE workspace = 'blue' AND at = (SELECT max(at) FROM by_day); UPDATE by_day SET workspace = 'blue' WHERE workspace = 'red' AND at = (SELECT max(at) FROM by_day); UPDATE by_day SET workspace = 'red' WHERE workspace = 'x'`,
  ),
  sql(
    'the settled sums are said to begin later, and earlier ones are removed',
    `UPDATE settled_head SET since = since + ${dayMs}; DELETE FROM settled WHERE at = (SELECT min(at) FROM settled)`,
  ),
  sql('a writer is shown to have closed on another day', `UPDATE writers SET closed = closed + ${dayMs} WHERE closed IS NOT NULL`),
  sql('costs are texts that begin with a number', `UPDATE by_day SET cost = CAST(cost AS TEXT) || 'x'`),
  sql(
    'the table of rows is made again without its key, and has a row twice',
    `ALTER TABLE entries RENAME TO e; CREATE TABLE entries AS SELECT * FROM e; INSERT INTO entries SELECT * FROM e WHERE writer = 2 AND seq = ${row}; DROP TABLE e`,
  ),
  { name: 'the whole ledger is rewritten, with all hashes and sums right', work: (db) => forge(db, null) },
  { name: 'the whole ledger is rewritten, and signed by another key', work: (db) => forge(db, generateKeyPairSync('ed25519').privateKey) },
];

/** Puts a file in the place of the ledger; it is not changed by SQL. */
export const replaced: readonly { readonly name: string; readonly work: (file: string, base: Base) => void }[] = [
  {
    name: 'an older copy of the file is put in its place, with the newer checkpoints',
    work: (file, { file: present, old }) => {
      copyFileSync(old, file);
      withOther(file, present, 'INSERT OR REPLACE INTO checkpoints SELECT * FROM other.checkpoints');
    },
  },
  {
    name: 'erased rows get their contents back from an older copy',
    work: (file, { old }) =>
      withOther(file, old, 'DELETE FROM entries WHERE writer = 2; INSERT INTO entries SELECT * FROM other.entries WHERE writer = 2'),
  },
  {
    name: 'rows that grew old are put back from an older copy',
    work: (file, { old }) =>
      withOther(file, old, 'INSERT OR IGNORE INTO entries SELECT * FROM other.entries WHERE writer = 1; DELETE FROM pruned'),
  },
  { name: 'an older copy of the file is put in its place', work: (file, { old }) => copyFileSync(old, file) },
];

function withOther(file: string, other: string, text: string): void {
  const db = opened(file);
  db.exec(`ATTACH '${other}' AS other; ${text}; DETACH other`);
  db.close();
}

/** Makes another ledger as its server would, and puts its rows among those of this one. */
/** Adds a ledger that another server wrote at that time. */
function merge(db: Db, file: string, key: KeyObject, at: number): void {
  const other = openDatabase(file, 'write');
  atTime(at, () => {
    const writer = new LedgerWriter(other, { version: 'drill' });
    writer.append(exchanges(at));
    writer.close();
    writer.checkpoint(key);
  });
  other.close();
  const columns = (db.pragma('table_info(entries)') as { name: string }[]).map(({ name }) => `"${name}"`).slice(1);
  db.exec(
    `ATTACH '${file}' AS other; INSERT INTO writers SELECT 9, id, host, pid, started, closed FROM other.writers; INSERT INTO entries SELECT 9, ${columns.join(', ')} FROM other.entries; INSERT INTO checkpoints SELECT * FROM other.checkpoints; DETACH other`,
  );
  for (const left of [file, `${file}-wal`, `${file}-shm`]) rmSync(left, { force: true });
}

function forge(db: Db, key: Parameters<LedgerWriter['checkpoint']>[0]): void {
  db.exec(
    'DELETE FROM entries; DELETE FROM writers; DELETE FROM checkpoints; DELETE FROM pruned; DELETE FROM by_hour; DELETE FROM by_day; DELETE FROM settled; DELETE FROM settled_head',
  );
  const writer = new LedgerWriter(db, { version: 'drill' });
  writer.append(exchanges(start));
  writer.close();
  if (key !== null) writer.checkpoint(key);
}

export function opened(file: string): Db {
  return openDatabase(file, 'write');
}
