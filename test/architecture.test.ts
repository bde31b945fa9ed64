import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const src = join(import.meta.dirname, '..', 'src');

/** One import between files of src/. `type`: a type-only import, absent at run time. */
interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly type: boolean;
}

/**
 * Folders by layer, the highest first, as docs/dev/architecture.md has them: an arrow leads to the same layer or to a lower one. `record`
 * is told by
 * all and asks nobody: it has rules of its own.
 */
const layers: readonly (readonly string[])[] = [
  ['cli', 'demo'],
  ['app'],
  ['extproc', 'admin', 'kubernetes', 'doctor', 'showback', 'monitoring'],
  ['replay', 'status'],
  ['exchange'],
  ['route', 'cache', 'budgets', 'experiments', 'sessions', 'attach'],
  ['classify', 'router', 'policy', 'catalog', 'grades', 'ledger'],
  ['apis'],
  ['lib'],
];

/** Run-time imports allowed in the record's files: pure functions and constants. */
const usedByRecord: readonly string[] = ['apis/registry.ts', 'apis/seen.ts', 'route/savings.ts', 'route/cooldowns.ts'];

/** The facts of an exchange: the steps may import them, but they may not import steps. */
const groundFloor: readonly string[] = ['exchange/context.ts', 'exchange/open.ts', 'exchange/plans.ts', 'exchange/chain/run.ts'];

const folderOf = (file: string): string => file.split('/', 1)[0]!;
const layerOf = (folder: string): number => layers.findIndex((layer) => layer.includes(folder));

/** Imports of a text, also those of types, those within functions, and what is exported again. */
function importsOf(file: string, text: string): Arrow[] {
  const arrows: Arrow[] = [];
  const add = (name: ts.Node | undefined, type: boolean): void => {
    if (name === undefined || !ts.isStringLiteral(name) || !name.text.startsWith('.') || !name.text.endsWith('.ts')) return;
    arrows.push({ from: file, to: relative(src, join(src, dirname(file), name.text)), type });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false));
  return arrows;
}

/** Import cycles (Tarjan's strongly connected components), each sorted. */
function circles(arrows: readonly Arrow[]): string[][] {
  const next = Map.groupBy(arrows, ({ from }) => from);
  const index = new Map<string, number>();
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    index.set(file, index.size);
    lowest.set(file, index.get(file)!);
    path.push(file);
    for (const { to } of next.get(file) ?? []) {
      if (!index.has(to)) lowest.set(file, Math.min(lowest.get(file)!, visit(to)));
      else if (path.includes(to)) lowest.set(file, Math.min(lowest.get(file)!, index.get(to)!));
    }
    if (lowest.get(file) === index.get(file)) {
      const circle = path.splice(path.indexOf(file));
      if (circle.length > 1 || next.get(file)?.some(({ to }) => to === file) === true) found.push(circle.sort());
    }
    return lowest.get(file)!;
  };
  for (const file of next.keys()) if (!index.has(file)) visit(file);
  return found;
}

const shown = ({ from, to }: Arrow): string => `${from} → ${to}`;

/** Arrows that lead up. */
function upward(arrows: readonly Arrow[]): string[] {
  return arrows
    .filter(({ from, to }) => folderOf(from) !== 'record' && folderOf(to) !== 'record' && layerOf(folderOf(from)) > layerOf(folderOf(to)))
    .map(shown);
}

/** What `record` asks of others, and what it knows of those who tell it. */
function askedByRecord(arrows: readonly Arrow[]): string[] {
  const exchange = layerOf('exchange');
  return arrows
    .filter(({ from, to }) => folderOf(from) === 'record' && folderOf(to) !== 'record')
    .filter(({ to, type }) => layerOf(folderOf(to)) <= exchange || !(type || folderOf(to) === 'lib' || usedByRecord.includes(to)))
    .map(shown);
}

const files = globSync('**/*.ts', { cwd: src }).filter((file) => !file.endsWith('.test.ts'));
const arrows = files.flatMap((file) => importsOf(file, readFileSync(join(src, file), 'utf8')));

it('the imports of bench/, scripts/ and image/ have no circle either', () => {
  const beside = globSync('../{bench,scripts,image}/**/*.ts', { cwd: src });
  const between = beside.flatMap((file) => importsOf(file, readFileSync(join(src, file), 'utf8')));
  expect(between.length).toBeGreaterThan(beside.length);
  expect(circles([...between, ...arrows])).toEqual([]);
});

describe('the imports of src/', () => {
  it('have no circle, not even of types', () => {
    expect(circles(arrows)).toEqual([]);
  });

  it('lead down, from layer to layer', () => {
    const unknown = new Set(files.map(folderOf).filter((folder) => folder !== 'record' && layerOf(folder) === -1));
    expect([...unknown]).toEqual([]);
    expect(upward(arrows)).toEqual([]);
  });

  it('have nothing that record asks of others', () => {
    expect(askedByRecord(arrows)).toEqual([]);
  });

  it('leave the facts of an exchange below its steps', () => {
    const inside = arrows.filter(({ from, to }) => groundFloor.includes(from) && folderOf(to) === 'exchange' && !groundFloor.includes(to));
    expect(inside.map(shown)).toEqual([]);
    expect(groundFloor.filter((file) => !files.includes(file))).toEqual([]);
  });

  it('are all of them seen', () => {
    // Guards against a check that finds no imports and therefore no violations.
    expect(arrows.length).toBeGreaterThan(2 * files.length);
    const text = `
      import type { A } from './a.ts';
      export * from '../lib/limits.ts';
      const later = async () => (await import('./b.ts')).run;
      type C = import('../app/c.ts').C;`;
    expect(importsOf('policy/x.ts', text)).toEqual([
      { from: 'policy/x.ts', to: 'policy/a.ts', type: true },
      { from: 'policy/x.ts', to: 'lib/limits.ts', type: false },
      { from: 'policy/x.ts', to: 'policy/b.ts', type: false },
      { from: 'policy/x.ts', to: 'app/c.ts', type: true },
    ]);
  });

  it('are judged by these rules', () => {
    const arrow = (from: string, to: string, type = true): Arrow => ({ from, to, type });
    expect(circles([arrow('a', 'b'), arrow('b', 'c'), arrow('c', 'a'), arrow('c', 'd'), arrow('e', 'e')])).toEqual([
      ['a', 'b', 'c'],
      ['e'],
    ]);
    expect(upward([arrow('policy/a.ts', 'budgets/b.ts'), arrow('budgets/b.ts', 'policy/a.ts'), arrow('lib/a.ts', 'record/b.ts')])).toEqual([
      'policy/a.ts → budgets/b.ts',
    ]);
    expect(
      askedByRecord([
        arrow('record/a.ts', 'exchange/open.ts'),
        arrow('record/a.ts', 'budgets/view.ts'),
        arrow('record/a.ts', 'budgets/view.ts', false),
        arrow('record/a.ts', 'route/savings.ts', false),
      ]),
    ).toEqual(['record/a.ts → exchange/open.ts', 'record/a.ts → budgets/view.ts']);
  });
});
