import type { ClickHouse } from './connect.ts';

/** The engine of each table that holds a ledger, without what a cluster puts before it. */
const engines: Readonly<Record<string, string>> = {
  writers: 'ReplacingMergeTree',
  entries: 'MergeTree',
  by_hour: 'SummingMergeTree',
  by_day: 'SummingMergeTree',
  heads: 'ReplacingMergeTree',
  pruned: 'ReplacingMergeTree',
  checkpoints: 'ReplacingMergeTree',
  settled: 'ReplacingMergeTree',
  settled_head: 'ReplacingMergeTree',
  by_hour_view: 'MaterializedView',
  by_day_view: 'MaterializedView',
  heads_view: 'MaterializedView',
};

/** What could change or hide the ledger's rows and sums, one sentence each: views in the place of tables, missing views, views of others. */
export async function foreignIn(client: ClickHouse): Promise<string[]> {
  const found = await client.ask<{ name: string; engine: string; text: string }>(
    'SELECT name, engine, create_table_query AS text FROM system.tables WHERE database = currentDatabase() ORDER BY name',
  );
  const engineOf = new Map(found.map(({ name, engine }) => [name, engine]));
  const wrong = Object.entries(engines).flatMap(([name, engine]) => {
    const has = engineOf.get(name);
    if (has === undefined) return [`${name} is missing`];
    return has.replace(/^(Replicated|Shared)/, '') === engine ? [] : [`${name} is ${has}, not ${engine}`];
  });
  const into = new RegExp(` TO (\`?[\\w-]+\`?\\.)?\`?(${Object.keys(engines).join('|')})\`?[ (]`);
  return [
    ...wrong,
    ...found
      .filter(({ name, engine, text }) => engine === 'MaterializedView' && engines[name] === undefined && into.test(text))
      .map(({ name }) => `a view that is not Sluice's writes into the ledger: ${name}`),
  ];
}
