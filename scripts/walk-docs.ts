/**
 * `node scripts/walk-docs.ts [PAGE…]`: goes through README and docs as a newcomer does: every command of every page in order, in one
 * folder, beside a real Envoy and
 * a Sluice that has had traffic. Ends with 1 at the first that does not work. What needs a cluster, root, or somebody's account is looked
 * through instead: its
 * files, scripts and flags must be there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { sluiceProgram } from '../src/cli/program.ts';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';

const root = join(import.meta.dirname, '..');
const program = await sluiceProgram();

/** Commands that are not run, and why. The first match counts. */
const notRun: readonly (readonly [RegExp, string])[] = [
  [/\b(kubectl|helm|kubernetes-tools)\b|^sluice (status --context|egress\b)|--policy-configmaps/, 'needs a cluster'],
  [/\b(podman|docker|pack\.sh|rootfs\.sh)\b|^cd deploy\/compose|policy\.yaml$(?<=^cp .*)|^mkdir -p keys/, 'needs a container engine'],
  [/^(useradd|systemctl|install -[dm]|cp -a|cp deploy\/systemd|cp \.tools|\/opt\/)/, 'needs root'],
  [/\bserve\b|\bdemo --app\b/, 'goes on until it is stopped: a Sluice runs already'],
  [/postgres:|clickhouse:|rediss:|policies\.example|10\.0\.0\.7|http:\/\/…/, 'needs a server of your own'],
  [/\bnpm (run|test|install)\b|^nice|ENVOY_BIN=|setup\.sh/, 'takes minutes, and has a test or a job of its own'],
  [/\.tools\/envoy\/envoy/, 'an Envoy runs already'],
  [/simulate-learning|\btrain\b/, 'takes minutes, and has a test of its own'],
  [/\breconcile\b/, "needs a provider's export"],
  [/^prometheus |^curl .*feedback|^ *-d /, 'needs more than this page says'],
  [/--min-replayed/, 'its limits are for traffic of your own'],
  [/\bdrain\b/, 'would end the Envoy of the walk'],
];

/** Non-zero exit codes that the page documents as expected. */
const fine: readonly (readonly [RegExp, readonly number[]])[] = [
  [/catalog diff/, [0, 4]],
  [/catalog import/, [0, 3]],
];

export interface Step {
  readonly page: string;
  readonly line: number;
  readonly text: string;
}

/** The commands in a page's ```sh blocks, without their comments. */
export function stepsOf(page: string): Step[] {
  const steps: Step[] = [];
  let within = false;
  readFileSync(join(root, page), 'utf8')
    .split('\n')
    .forEach((line, at) => {
      if (line.startsWith('```')) within = line === '```sh';
      else if (within) {
        const text = line.replace(/\s+#.*$|^#.*$/, '').trim();
        if (text !== '') steps.push({ page, line: at + 1, text });
      }
    });
  return steps;
}

/** Pages in the order in which a newcomer reads them. */
export function pages(): string[] {
  const folder = (path: string): string[] =>
    readdirSync(join(root, path))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${path}/${name}`);
  const first = ['README.md', 'docs/install.md'];
  return [
    ...first,
    ...[...folder('docs'), ...folder('docs/runbooks'), ...folder('docs/dev')].filter((page) => !first.includes(page)).sort(),
  ];
}

/** Checks the files, scripts and flags of a command that is not run; null if nothing is wrong. */
export function lookThrough(text: string): string | null {
  const npm = /\bnpm run ([\w:]+)/.exec(text);
  if (npm !== null) {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    if (scripts[npm[1]!] === undefined) return `there is no script ${npm[1]!}`;
  }
  for (const [path] of text.matchAll(/(?<![\w/.-])(?:scripts|deploy|image|helm|data)\/[\w./-]+/g))
    if (!path.includes('*') && !existsSync(join(root, path.replace(/\/$/, '')))) return `there is no ${path}`;
  const call = /(?:^|\s|\/)sluice ((?:[a-z][\w-]* ?)+)(.*)$/.exec(text.split(' | ')[0]!);
  return call === null || /helm|podman|docker|useradd|systemctl|install/.test(text)
    ? null
    : flagsWrong(call[1]!.trim().split(' '), call[2]!);
}

function flagsWrong(words: readonly string[], rest: string): string | null {
  let command: Command = program;
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined && command.commands.length > 0) return `there is no command ${word}`;
    if (next === undefined) break;
    command = next;
  }
  for (const [flag] of rest.matchAll(/(?<=^|\s)--[\w-]+/g))
    if (!command.options.some(({ long }) => long === flag)) return `${command.name()} has no ${flag}`;
  return null;
}

const policy = `version: 1
workspaces: { known: [support, team-a] }
callers: { believe: { workspace: all, user: all, cache: all } }
defaults:
  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }
  cache: { mode: on }
budgets:
  - { name: each-user, per: [user], period: month, usd: 50, hard: {} }
limits:
  - { name: each-user, per: [user], requests: { minute: 1000 } }
`;

/** Prepares everything that the pages assume to exist. */
async function prepare(folder: string, stack: Stack): Promise<{ readonly id: string; readonly entry: string }> {
  const ask = (content: string): Promise<Response> =>
    fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sluice-workspace': 'support', 'x-sluice-user': 'ann@example.test' },
      body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content }] }),
    });
  let id = '';
  let entry = '';
  for (const content of ['What is a CDN?', 'What is a CDN?', 'What is DNS?', 'Prove that the square root of two is irrational.']) {
    const response = await ask(content);
    await response.text();
    id = response.headers.get('x-sluice-decision') ?? id;
    entry = response.headers.get('x-sluice-cache-entry') ?? entry;
  }
  for (const name of ['my-policy.yaml', 'policy.yaml', 'new.yaml', 'next.yaml', 'base.yaml']) writeFileSync(join(folder, name), policy);
  const prompts = ['What is a CDN?', 'Translate to French: good morning.', 'Prove that there are infinitely many primes.'];
  const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  writeFileSync(join(folder, 'prompts.jsonl'), lines(prompts.map((prompt, at) => ({ id: at, prompt }))));
  writeFileSync(
    join(folder, 'labels.jsonl'),
    lines(
      Array.from({ length: 60 }, (_none, at) => ({
        id: String(at),
        prompt: `${prompts[at % 3]!} ${at}`,
        weak_score: at % 2,
        strong_score: 1,
        task: `t${at % 6}`,
        source: 's',
      })),
    ),
  );
  writeFileSync(
    join(folder, 'prices.json'),
    JSON.stringify({ openai: { 'gpt-4o': { input_cost_per_1k_tokens: 0.0025, output_cost_per_1k_tokens: 0.01 } } }),
  );
  return { id, entry };
}

/** A command with the addresses and names of the walk in place of those of the page. */
function here(text: string, folder: string, stack: Stack, { id, entry }: { readonly id: string; readonly entry: string }): string {
  const said = text
    .replace(/^sluice /, 'bin/sluice ')
    .replaceAll('http://127.0.0.1:9901/log', `${stack.adminUrl}/log`)
    .replaceAll('/var/lib/sluice/ledger.db', stack.ledgerFile)
    .replaceAll('--from ledger.db', `--from ${stack.ledgerFile}`)
    .replaceAll(/(?:--from |\/var\/log\/)sluice\.(?:log|jsonl)/g, (found) =>
      found.startsWith('--from') ? `--from ${stack.logFile}` : stack.logFile,
    )
    .replaceAll('018f2c6e-94b1', id.slice(0, 30))
    .replaceAll('3f9a1c04b7d2e8aa', entry);
  const call = /^bin\/sluice ((?:[a-z][\w-]* ?)+)/.exec(said);
  if (call === null) return said;
  let command: Command = program;
  for (const word of call[1]!.trim().split(' ')) command = command.commands.find((each) => each.name() === word) ?? command;
  const takes = (flag: string): boolean =>
    !said.includes(flag) &&
    command.options.some(({ long, defaultValue }) => long === flag && (defaultValue !== undefined || flag !== '--admin'));
  const at = said.search(/ [|>] /);
  const more = [
    ...(takes('--admin') && command.name() !== 'envoy' ? [`--admin ${stack.adminUrl}`] : []),
    ...(takes('--envoy-admin') ? [`--envoy-admin ${new URL(stack.envoyAdminUrl).host}`] : []),
    ...(command.name() === 'doctor' ? [`--url ${stack.url}`] : []),
  ].join(' ');
  const [front, back] = at === -1 ? [said, ''] : [said.slice(0, at), said.slice(at)];
  return `${front} ${more}${back}`.replaceAll('bin/sluice', join(folder, 'bin/sluice'));
}

/** Walks the pages; `say` hears of each step. Returns what the first failure was, or null. */
export async function walk(which: readonly string[], say: (text: string) => void): Promise<string | null> {
  const simulator = new ProviderSimulator();
  const stack = new Stack({ policy, endpoint: await simulator.listen(), messageTimeout: '20s' });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-walk-'));
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(root, 'bin/sluice'), join(folder, 'bin/sluice'));
  try {
    await stack.start();
    const known = await prepare(folder, stack);
    for (const step of which.flatMap(stepsOf)) {
      const where = `${step.page}:${step.line}`;
      const why = notRun.find(([pattern]) => pattern.test(step.text))?.[1];
      if (why !== undefined) {
        const wrong = lookThrough(step.text);
        say(`${wrong === null ? '·' : '✗'} ${where} ${step.text} (${why})`);
        if (wrong !== null) return `${where}: ${step.text}\n${wrong}`;
        continue;
      }
      const text = here(step.text, folder, stack, known);
      const { status, stderr } = spawnSync('sh', ['-c', text], {
        cwd: folder,
        encoding: 'utf8',
        timeout: 120_000,
        env: { ...process.env, SLUICE_LEDGER: stack.ledgerFile },
      });
      const allowed = fine.find(([pattern]) => pattern.test(step.text))?.[1] ?? [0];
      const good = status !== null && allowed.includes(status);
      say(`${good ? '✓' : '✗'} ${where} ${step.text}`);
      if (!good) return `${where}: ${step.text}\nas ${text}\nended with ${String(status)}: ${stderr}`;
    }
    return null;
  } finally {
    await stack.stop();
    await simulator.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const asked = process.argv.slice(2);
  const failure = await walk(asked.length === 0 ? pages() : asked, (text) => process.stdout.write(`${text}\n`));
  if (failure !== null) {
    process.stderr.write(`${failure}\n`);
    process.exitCode = 1;
  }
}
