import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { flagName, flagVariable, type FlagTable } from './flag.ts';
import { serveFlags } from './serve.ts';

const table: FlagTable = serveFlags;
const template = readFileSync(new URL('../../../helm/sluice/templates/_containers.tpl', import.meta.url), 'utf8');
const args = /^ {4}- serve\n([^]*?)\.Values\.extraArgs/m.exec(template)![1]!;

/** Flags in the container's arguments; those of a `range` over a `dict` are made of its keys. */
function inChart(): Set<string> {
  const written = [...args.matchAll(/--([a-z][a-z-]*)(?==)/g)].map(([flag]) => flag);
  const made = [...args.matchAll(/range \$flag, \$\w+ := dict ([^}]*)}}([^]*?)(?=\{\{- range|$)/g)].flatMap(([, keys, body]) => {
    const names = [...keys!.matchAll(/"([a-z-]+)"/g)].map(([, name]) => name!);
    const tails = [...body!.matchAll(/--\{\{ \$flag \}\}([a-z-]*)=/g)].map(([, tail]) => tail!);
    return names.flatMap((name) => tails.map((tail) => `--${name}${tail}`));
  });
  return new Set([...written, ...made]);
}

/** Flags that the chart leaves to `extraArgs` and `extraEnv`, and why it sets none of them. */
const left: Readonly<Record<string, string>> = {
  '--model': 'the model that the image brings',
  '--transport': 'the default is the one to use',
  '--transport-memory': 'the default fits the memory limit of the values',
  '--embedding': 'a folder that somebody must mount',
  '--envoy-admin': 'loopback in the pod',
  '--envoy-usage': 'auto',
  '--cache-redis-deadline': 'the default',
  '--budgets-redis-deadline': 'the default',
  '--records': 'the default',
  '--request-id-header': 'the default',
  '--max-delay': 'the default',
  '--log': 'stdout, which the cluster collects',
  '--log-share': 'the default',
};

it('the arguments and variables of the chart are flags of serve, and every flag is in the chart or is left out for a reason', () => {
  const flags = new Map(Object.keys(table).map((key) => [flagName(key), flagVariable(key)]));
  // SLUICE_POD_… are facts of the pod, for --spare-endpoints.
  const variables = new Set([...template.matchAll(/SLUICE_(?!POD_)[A-Z_]+/g)].map(([name]) => name));
  const chart = inChart();
  expect(chart.size).toBeGreaterThan(30);
  expect([...chart].filter((flag) => !flags.has(flag))).toEqual([]);
  expect([...variables].filter((name) => ![...flags.values()].includes(name))).toEqual([]);
  const set = [...flags].filter(([flag, variable]) => chart.has(flag) || variables.has(variable)).map(([flag]) => flag);
  expect([...flags.keys()].filter((flag) => !set.includes(flag)).sort()).toEqual(Object.keys(left).sort());
});

it('a flag that the chart sets has what it needs there', () => {
  const chart = inChart();
  const variables = template.match(/SLUICE_[A-Z_]+/g)!;
  for (const [key, { needs = [] }] of Object.entries(table)) {
    if (!chart.has(flagName(key))) continue;
    for (const other of needs)
      expect([flagName(key), chart.has(flagName(other)) || variables.includes(flagVariable(other))]).toEqual([flagName(key), true]);
  }
});
