import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { embeddedCatalog } from '../catalog/index.ts';
import { completion } from './completion.ts';
import { exitCodeOf } from './exit-code.ts';
import { Progress } from './progress.ts';
import { sluiceProgram } from './program.ts';

const entry = fileURLToPath(new URL('index.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sluice = (
  args: readonly string[],
  input = '',
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } =>
  spawnSync(process.execPath, [entry, ...args], { input, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });

interface Leaf {
  readonly path: readonly string[];
  readonly command: Command;
}

/** Commands that do something, by their path. */
function leaves(command: Command, path: readonly string[] = []): Leaf[] {
  return [
    ...(command.commands.length === 0 ? [{ path, command }] : []),
    ...command.commands.flatMap((each) => leaves(each, [...path, each.name()])),
  ];
}

const all = leaves(await sluiceProgram());

/** What writes a file of its own kind, or talks with a person. */
const noJson = new Set([
  'serve',
  'demo',
  'label',
  'ca-bundle',
  'completion',
  'render alerts',
  'render istio',
  'render envoy-gateway',
  'render kgateway',
]);

describe('every command', () => {
  it('says what it does and what each of its flags means', () => {
    expect(all.length).toBeGreaterThan(40);
    const silent = all.flatMap(({ path, command }) => [
      ...(command.description() === '' ? [path.join(' ')] : []),
      ...command.options.filter(({ description }) => description === '').map(({ long }) => `${path.join(' ')} ${long!}`),
      ...command.registeredArguments
        .filter(({ description }) => description === '')
        .map((argument) => `${path.join(' ')} ${argument.name()}`),
    ]);
    expect(silent).toEqual([]);
  });

  it('is the same when it alone is loaded', async () => {
    // Completion knows of all.
    for (const name of new Set(all.map(({ path }) => path[0]!).filter((each) => each !== 'completion')))
      expect(leaves(await sluiceProgram(name)).map(({ path }) => path)).toEqual(
        all.filter(({ path }) => path[0] === name).map(({ path }) => path),
      );
  });

  it('takes --json, but for those that write a file of another kind or talk with a person', () => {
    const without = all.filter(({ command }) => !command.options.some(({ long }) => long === '--json')).map(({ path }) => path.join(' '));
    expect(without.sort()).toEqual([...noJson].sort());
  });

  it.each(all.map(({ path }) => path.join(' ')))('%s: a flag that it has not is wrong usage', async (name) => {
    expect(await exitOf([...name.split(' '), '--no-such-flag'])).toBe(2);
  });

  it('takes policy, prices, ledger and admin address from the same places where nobody says', () => {
    const defaults = (flag: string): string[] => [
      ...new Set(
        all
          .filter(({ path }) => path[0] !== 'serve')
          .flatMap(({ path, command }) =>
            command.options.filter(({ long, mandatory }) => long === flag && !mandatory && !(path[0] === 'render' && flag === '--admin')),
          )
          .map(({ defaultValue, description }) => `${String(defaultValue)} ${description.replace(/^.*?(?=\(default)|^.*$/, '')}`.trim()),
      ),
    ];
    expect(defaults('--catalog')).toEqual(['undefined (default: $SLUICE_CATALOG, else the embedded one)']);
    // What the demo shows is made for its own policy.
    expect(new Set(defaults('--policy'))).toEqual(
      new Set(['undefined (default: $SLUICE_POLICY, else the embedded policy)', "undefined (default: the demo's own)"]),
    );
    expect(defaults('--ledger').filter((text) => !text.includes('$SLUICE_LEDGER, or where serve keeps it'))).toEqual(['undefined']);
  });
});

/** Files that a command reads in place, writes, or that Envoy reads; and questions that stdin answers. */
const noStdin = /^(?:serve |doctor |label FILE|label --out|.* --ledger|.* --out|.* --java|.* --html|train --rows|render \S+ --ca)/;

it('says of each file that it reads that - is stdin', () => {
  const files = all.flatMap(({ path, command }) => [
    ...command.options
      .filter(({ flags }) => /<(?:file|path|source|labels)>/.test(flags))
      .map(({ long, description }) => ({ name: `${path.join(' ')} ${long!}`, description })),
    ...command.registeredArguments
      .filter((argument) => /^(?:file|path|source|labels|rows|data|old|new|policies)$/.test(argument.name()))
      .map((argument) => ({ name: `${path.join(' ')} ${argument.name().toUpperCase()}`, description: argument.description })),
  ]);
  expect(files.length).toBeGreaterThan(60);
  const silent = files.filter(({ name, description }) => !noStdin.test(name) && !/\bstdin\b/.test(description));
  expect(silent.map(({ name }) => name)).toEqual(['explain --path', 'render istio --selector']);
});

/** What a command line comes to before anything is printed: the exit code, as src/cli/index.ts makes it. */
async function exitOf(args: readonly string[]): Promise<number> {
  const program = await sluiceProgram(args[0]);
  const quiet = (command: Command): void => {
    command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    command.commands.forEach(quiet);
  };
  quiet(program);
  return program.parseAsync(['node', 'sluice', ...args]).then(() => 0, exitCodeOf);
}

describe('wrong usage', () => {
  it.each([
    [['nonsense']],
    [['ledger']],
    [['ledger', 'nonsense']],
    [['validate']],
    [['replay']],
    [['explain']],
    [['ledger', 'erase', '--reason', 'x']],
    [['learning', 'reset']],
    [['cache', 'purge']],
    [['decisions', '--limit', 'many']],
    [['savings', '--window', 'soon']],
    [['savings', '--month', 'May', '--ledger', 'none.db']],
    [['completion', 'tcsh']],
    [['classify', '--check', '7']],
    [['train', 'x', '--folds', '1']],
    [['render', 'alerts', '--runbooks', 'docs']],
    [['drain', '--seconds', 'x']],
  ])('%j: exit 2', async (args) => {
    expect(await exitOf(args)).toBe(2);
  });

  it('writes nothing to stdout, and no stack to stderr', () => {
    const { status, stdout, stderr } = sluice(['decisions', '--limit', 'many']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^SLUICE_CLI_USAGE --limit: /);
  });

  it('--version and --help are success', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string };
    expect(sluice(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect(sluice(['ledger', 'verify', '--help'])).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('- is stdin', () => {
  const policy = 'version: 1\ndefaults:\n  mode: shadow\n';
  const request = JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] });
  const row = JSON.stringify({ id: 'a', prompt: 'What is a CDN?' });
  it.each([
    ['validate', ['validate', '-', '--json'], policy, 0],
    ['explain --request', ['explain', '--request', '-', '--json'], request, 0],
    ['explain --policy', ['explain', '--policy', '-', '--request', 'REQUEST', '--json'], policy, 0],
    ['catalog diff', ['catalog', 'diff', '-', '--json'], readFileSync(embeddedCatalog, 'utf8'), 0],
    ['classify', ['classify', '-', '--json'], row, 0],
    ['compare', ['compare', '-', '--on', 'ROWS', '--json'], policy, 0],
    ['compare --on', ['compare', 'POLICY', '--on', '-', '--json'], row, 0],
    ['catalog diff, the second', ['catalog', 'diff', 'CATALOG', '-', '--json'], readFileSync(embeddedCatalog, 'utf8'), 0],
    ['render envoy --policy', ['render', 'envoy', '--policy', '-', '--json'], policy, 0],
    ['render envoy --snippet', ['render', 'envoy', '--policy', '-', '--snippet', '--json'], policy, 0],
    ['replay --from', ['replay', '--policy', 'POLICY', '--from', '-', '--json'], '', 0],
  ])('%s', (_name, args, input, code) => {
    writeFileSync(join(folder, 'request.json'), request);
    writeFileSync(join(folder, 'policy.yaml'), policy);
    writeFileSync(join(folder, 'rows.jsonl'), row);
    const named: Readonly<Record<string, string>> = {
      REQUEST: join(folder, 'request.json'),
      POLICY: join(folder, 'policy.yaml'),
      ROWS: join(folder, 'rows.jsonl'),
      CATALOG: fileURLToPath(embeddedCatalog),
    };
    const { status, stdout, stderr } = sluice(
      args.map((arg) => named[arg] ?? arg),
      input,
    );
    expect({ status, stderr }).toEqual({ status: code, stderr: '' });
    for (const line of stdout.includes('\n{') ? stdout.trim().split('\n') : [stdout])
      expect(() => JSON.parse(line) as unknown).not.toThrow();
  });
});

it('calls stdin by its name where something is wrong with it', () => {
  const { status, stderr } = sluice(['explain', '--log', '-', 'none'], '{}\n');
  expect({ status, stderr }).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^SLUICE_EXPLAIN_UNKNOWN stdin: no decision none\./) as string,
  });
});

it('writes no file that is called -', () => {
  const { status, stdout } = sluice(['render', 'alerts', '--out', '-']);
  expect({ status, alerts: stdout.includes('SluiceBypassed') }).toEqual({ status: 0, alerts: true });
});

it('render alerts writes rules with the runbooks of a place of your own', () => {
  const urls = (runbooks: string): string => JSON.stringify(parse(sluice(['render', 'alerts', '--runbooks', runbooks]).stdout));
  expect(urls('https://docs.example.com/r')).toContain('"runbook_url":"https://docs.example.com/r/SluiceBypassed"');
  expect(urls('https://docs.example.com/runbooks.md#')).toContain('"runbook_url":"https://docs.example.com/runbooks.md#sluicebypassed"');
});

it('counts one thing as one: no number stands before a plural that cannot be one', () => {
  const plural =
    /\$\{(?![^}]*counted)[^}]*\} (rows|records|models|entries|requests|exchanges|grades|prompts|files|faults|connections|days|budgets|decisions|replicas|templates)\b/;
  const root = new URL('../', import.meta.url);
  const found = ['cli', 'replay', 'doctor', 'status', 'showback'].flatMap((part) =>
    readdirSync(new URL(part, root))
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .flatMap((name) =>
        readFileSync(new URL(`${part}/${name}`, root), 'utf8')
          .split('\n')
          .filter((line) => plural.test(line))
          .map((line) => `${part}/${name}: ${line.trim()}`),
      ),
  );
  expect(found).toEqual([]);
});

describe('progress', () => {
  const run = (isTTY: boolean): readonly string[] => {
    const lines: string[] = [];
    let now = 0;
    const progress = new Progress('entry', { isTTY, write: (text) => lines.push(text) }, () => now);
    for (let count = 0; count < 256 * 25; count++) {
      if (count % 256 === 0) now += 1_000;
      progress.tick();
    }
    progress.done();
    return lines;
  };

  it('comes each second at a terminal, and is taken away', () => {
    const lines = run(true);
    expect(lines).toHaveLength(26);
    expect(lines[0]).toBe('\r\u001b[K256 entries …');
    expect(lines.at(-1)).toBe('\r\u001b[K');
  });

  it('comes in lines elsewhere, the first after a second', () => {
    expect(run(false)).toEqual(['256 entries …\n', '2816 entries …\n', '5376 entries …\n']);
  });

  it('says nothing of what is quick', () => {
    const lines: string[] = [];
    const progress = new Progress('row', { write: (text) => lines.push(text) }, () => 0);
    for (let count = 0; count < 10_000; count++) progress.tick();
    progress.done();
    expect(lines).toEqual([]);
  });
});

describe('completion', async () => {
  const program = await sluiceProgram();
  const bash = (words: readonly string[]): string[] => {
    writeFileSync(join(folder, 'sluice.bash'), completion(program, 'bash'));
    const line = words.map((word) => `'${word}'`).join(' ');
    const script = `source '${join(folder, 'sluice.bash')}'; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { encoding: 'utf8', cwd: folder }).trim().split('\n');
  };

  it('in bash: commands, their commands, flags, and the values of flags', () => {
    expect(bash(['sluice', 'sav'])).toEqual(['savings']);
    expect(bash(['sluice', 'ledger', ''])).toEqual(expect.arrayContaining(['verify', 'export', 'erase']));
    expect(bash(['sluice', 'ledger', 'export', '--fo'])).toEqual(['--format']);
    expect(bash(['sluice', 'ledger', 'export', '--format', ''])).toEqual(['jsonl', 'csv', 'parquet']);
    expect(bash(['sluice', 'savings', '--ledger', 'x', '--by', 'tier', '--js'])).toEqual(['--json']);
  });

  it('for zsh and fish, every command and flag is in the script', () => {
    for (const shell of ['zsh', 'fish'] as const) {
      const text = completion(program, shell);
      for (const { path, command } of all) {
        for (const word of path) expect(text).toContain(word);
        for (const { long } of command.options)
          expect(text, `${shell}: ${path.join(' ')}`).toContain(shell === 'fish' ? `-l ${long!.slice(2)}` : long!);
      }
    }
  });
});
