import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { registerServe } from '../serve.ts';
import { sluice } from '../testing/run.ts';
import { flagName, flagVariable, readFlags, takeFlags, type FlagTable } from './flag.ts';
import { flagsPage } from './page.ts';
import { serveFlags, serveGroups } from './serve.ts';
import { shared } from './shared.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const keys = Object.keys(serveFlags);
const names = new Set(keys.map(flagName));

describe('the table of flags', () => {
  it('is what serve takes, and each flag is in one group', () => {
    const program = new Command();
    registerServe(program);
    expect(program.commands[0]!.options.map(({ long }) => long)).toEqual([...names]);
    expect(serveGroups.flatMap(({ flags }) => Object.keys(flags))).toEqual(keys);
  });

  it('names flags that are there', () => {
    const table: FlagTable = serveFlags;
    const named = Object.values(table).flatMap(({ needs = [], excludes = [] }) => [...needs, ...excludes]);
    expect(named.filter((key) => table[key] === undefined)).toEqual([]);
  });

  it('is docs/flags.md', () => {
    expect(read('docs/flags.md')).toBe(flagsPage());
  });

  it('has every flag that a manifest, a unit, the chart or a page gives to serve', () => {
    const files = [
      'README.md',
      ...globSync(['docs/**/*.md', 'deploy/**/*.{yaml,service}', 'helm/sluice/templates/_containers.tpl', 'Containerfile'], { cwd: root }),
    ];
    const given = files.flatMap((file) =>
      // A command of the shell with its continued lines, a list of arguments, or one argument a line.
      [...read(file).matchAll(/(?:sluice|\[)[ "]*serve\b(?:\\\n|[^`\n])*|^ +- "?--[a-z-]+=.*$|printf "--[a-z-]+=/gm)].flatMap(([text]) =>
        [...text.split(/\s[|;&]\s?|&&/)[0]!.matchAll(/--[a-z][a-z-]+/g)].map(([flag]) => ({ file, flag })),
      ),
    );
    expect(new Set(given.map(({ file }) => file)).size).toBeGreaterThan(8);
    expect(given.filter(({ flag }) => !names.has(flag))).toEqual([]);
  });

  it('has every environment variable that a page or a manifest sets, and nothing reads one beside it', () => {
    const variables = new Set(keys.map(flagVariable));
    const elsewhere = globSync('src/**/*.ts', { cwd: root, exclude: ['src/**/*.test.ts'] })
      .flatMap((file) => [...read(file).matchAll(/process\.env\['(SLUICE_[A-Z_]+)'\]/g)].map(([, name]) => name!))
      .filter((name) => !variables.has(name));
    // Of the demo's Sluice and Envoy, of the command that makes bundles of CAs, and of a container's supervisor.
    expect(new Set(elsewhere)).toEqual(
      new Set(['SLUICE_STACK_ENTRY', 'SLUICE_STACK_MESSAGE_TIMEOUT', 'SLUICE_CA_PEM', 'SLUICE_SILENT_SECONDS']),
    );
  });
});

it('flags that commands share are written once', () => {
  const written = globSync('src/cli/*.ts', { cwd: root, exclude: ['src/cli/*.test.ts'] }).flatMap((file) =>
    [...read(file).matchAll(/\.option\(\s*'(--[a-z-]+)( <[^']*)?',\s*(['"`].*?['"`])[,)]/g)].map(([, flag, value = '', about]) => ({
      file,
      text: `${flag}${value}`,
      about,
    })),
  );
  expect(written.length).toBeGreaterThan(40);
  const twice = written.filter((one, at) => written.findIndex(({ text, about }) => text === one.text && about === one.about) !== at);
  expect(twice).toEqual([]);
  const known = new Set(Object.values(shared).map(([flag, about]) => `${flag} ${about}`));
  expect(written.filter(({ text, about }) => known.has(`${text} ${about!.slice(1, -1)}`))).toEqual([]);
});

describe('values of flags', () => {
  const table = {
    one: { value: '<n>', about: '', fallback: '1', read: (text: string) => Number(text) },
    two: { value: '<n>', about: '', needs: ['three'], read: (text: string) => text },
    three: { value: '<n>', about: '', excludes: ['four'], read: (text: string) => text },
    four: { value: '<n>', about: '', read: (text: string) => text },
  } as const satisfies FlagTable;

  it('are read where they are given, and null where not', () => {
    expect(readFlags(table, { one: '7', four: 'x' })).toEqual({ one: 7, two: null, three: null, four: 'x' });
  });

  it('are refused without what they need, and beside what says the same', () => {
    expect(() => readFlags(table, { two: 'x' })).toThrow(
      expect.objectContaining({ where: '--two', message: 'it needs --three.' }) as Error,
    );
    expect(() => readFlags(table, { three: 'x', four: 'y' })).toThrow(expect.objectContaining({ where: '--three' }) as Error);
  });

  it('come from the flag, else from the environment, else from the table', () => {
    const of = (...args: string[]): unknown => {
      const command = takeFlags(new Command(), { maxDelay: serveFlags.maxDelay, policy: serveFlags.policy });
      return command.parse(args, { from: 'user' }).opts();
    };
    const before = process.env['SLUICE_MAX_DELAY'];
    try {
      delete process.env['SLUICE_MAX_DELAY'];
      const { maxDelay } = of() as { maxDelay: string };
      expect(Number(maxDelay)).toBeGreaterThan(0);
      process.env['SLUICE_MAX_DELAY'] = '7';
      expect(of()).toMatchObject({ maxDelay: '7' });
      expect(of('--max-delay', '9')).toMatchObject({ maxDelay: '9' });
      process.env['SLUICE_MAX_DELAY'] = '';
      expect(of()).toEqual({ maxDelay });
    } finally {
      if (before === undefined) delete process.env['SLUICE_MAX_DELAY'];
      else process.env['SLUICE_MAX_DELAY'] = before;
    }
  });
});

describe('serve refuses in words', () => {
  it.each([
    [['--catalog-interval', '0'], '--catalog-interval', 'the interval is no number of hours above 0'],
    [['--ledger-retention', ''], '--ledger-retention', 'the retention is no number of days above 0'],
    [['--grace', 'soon'], '--grace', 'the grace is no number of seconds'],
    [['--cache-memory', '0'], '--cache-memory', 'from 1 to 65536'],
    [['--budgets-redis-deadline', '500'], '--budgets-redis-deadline', 'from 1 to 400'],
    [['--policy', 'a', '--policy-configmaps', 'b'], '--policy-configmaps', 'it is not taken beside --policy'],
    [['--policy', 'a', '--policy-url', 'http://127.0.0.1/'], '--policy-url', 'not in two of them'],
    [['--policy-url', 'ftp://x'], '--policy-url', 'no http or https URL'],
    [['--policy-configmaps', 'A B'], '--policy-configmaps', 'no list of namespaces. Write a,b or *.'],
    [['--policy-trusted', '*'], '--policy-trusted', 'no list of namespaces. Write a,b.'],
    [['--envoy-tls', 'x'], '--envoy-tls', 'it needs --envoy-tls-listen'],
    [['--webhook', '0.0.0.0:1'], '--webhook', 'it needs --webhook-tls'],
    [['--egress-hosts', 'a'], '--egress-hosts', 'it needs --egress-url and --egress-service and --egress-ca and --egress-image'],
    [['--envoy-usage', 'no'], '--envoy-usage', 'no is not one of auto'],
    [['--log-level', 'loud'], '--log-level', 'loud is not one of trace'],
    [['--log', 'off'], '--log', 'names no file'],
    [['--request-id-header', 'a b'], '--request-id-header', 'no name of a header'],
    [['--envoy-version', '1.20'], '--envoy-version', 'no version of Envoy'],
  ])('%j', async (args, where, says) => {
    const { code, stderr } = await sluice(['serve', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(`SLUICE_CLI_USAGE ${where}: `);
    expect(stderr).toContain(says);
  });
});
