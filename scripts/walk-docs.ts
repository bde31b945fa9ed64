/**
 * `node scripts/walk-docs.ts [PAGE…]`: goes through README and docs as a newcomer does: every command of every page in order, in one
 * folder, beside a real Envoy and
 * a Sluice that has had traffic, and every question to the API that a page's text has. Ends with 1 at the first that does not work. What
 * needs a cluster, root, or somebody's account is looked through instead, and so are commands within text: files, scripts and flags must be
 * there. A server is started, and stopped when it is ready; what runs ends with the walk, killed or not.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { sluiceProgram } from '../src/cli/program.ts';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { startReaper, type Reaper } from './reaper.ts';

const root = join(import.meta.dirname, '..');
const program = await sluiceProgram();

/** Commands that are not run, and why. The first match counts. */
const notRun: readonly (readonly [RegExp, string])[] = [
  [/\b(kubectl|helm|kubernetes-tools)\b|^sluice (status --context|egress\b)|--policy-configmaps/, 'needs a cluster'],
  [/\b(podman|docker|pack\.sh|rootfs\.sh)\b|^cd deploy\/compose|policy\.yaml$(?<=^cp .*)|^mkdir -p keys/, 'needs a container engine'],
  [/^(useradd|systemctl|install -[dm]|cp -a|cp deploy\/systemd|cp \.tools|\/opt\/)/, 'needs root'],
  [/postgres:|clickhouse:|rediss:|policies\.example|10\.0\.0\.7|http:\/\/…/, 'needs a server of your own'],
  [/\bdemo --app\b|--envoy-config/, 'goes on until it is stopped, and has a test of its own'],
  [/\bnpm (run|test|install|pack)\b|^nice|ENVOY_BIN=|setup\.sh/, 'takes minutes, and has a test or a job of its own'],
  [/\.tools\/envoy\/envoy/, 'an Envoy runs already'],
  [/simulate-learning|\btrain\b/, 'takes minutes, and has a test of its own'],
  [/\breconcile\b/, "needs a provider's export"],
  [/--embedding \.tools/, 'needs 200 MB of another package'],
  [/^prometheus |^curl .*feedback|^ *-d /, 'needs more than this page says'],
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
  /** Where it stands: a line of its own in a block of commands, or within text. */
  readonly within?: 'text';
}

/** Commands and questions to the admin API within a page's text. */
const quoted = /`((?:bin\/)?sluice (?!is )[a-z][^`]*|npm run [^`]+|GET \/[^`]*)`/g;

/** The commands in a page's ```sh blocks, without their comments, and those within its text. */
export function stepsOf(page: string): Step[] {
  const steps: Step[] = [];
  let within = false;
  let other = false;
  readFileSync(join(root, page), 'utf8')
    .split('\n')
    .forEach((line, at) => {
      if (line.startsWith('```')) {
        within = line === '```sh';
        other = !other;
      } else if (!other)
        steps.push(...[...line.matchAll(quoted)].map(([, text]) => ({ page, line: at + 1, text: text!, within: 'text' as const })));
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
  return [...first, ...[...folder('docs'), ...folder('docs/dev')].filter((page) => !first.includes(page)).sort()];
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
  // Where a page leaves something out, the flags are of what it leaves out.
  if (rest.includes('…')) rest = '';
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined && command.commands.length > 0) return `there is no command ${word}`;
    if (next === undefined) break;
    command = next;
  }
  for (const [flag] of rest.matchAll(/(?<=^|\s)--[\w-]+/g))
    if (flag !== '--help' && !command.options.some(({ long }) => long === flag)) return `${command.name()} has no ${flag}`;
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

const questions = ['What is a CDN?', 'What is a CDN?', 'What is DNS?', 'Prove that the square root of two is irrational.'];

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
  for (const content of questions) {
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
  // What the log has may be replayed elsewhere; it is written a moment after the answer.
  const log = (): string => readFileSync(stack.logFile, 'utf8');
  for (let tries = 0; tries < 100 && log().split('"msg":"exchange"').length <= questions.length; tries++) await sleep(100);
  writeFileSync(join(folder, 'traffic.jsonl'), log());
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
    .replace('--min-replayed 1000', '--min-replayed 1')
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

/** Asks a question to the admin API as a page has it; null if it is answered. */
async function asked(text: string, stack: Stack, { id, entry }: { readonly id: string; readonly entry: string }): Promise<string | null> {
  const path = text
    .slice('GET '.length)
    .replace('/cache/entries/{id}', `/cache/entries/${entry}`)
    .replaceAll(/\{id\}|…/g, id)
    .replaceAll('NAME', 'each-user')
    .replaceAll('{alert}', 'SluiceBypassed');
  const { status } = await fetch(`${stack.adminUrl}${path}`, { headers: { connection: 'close' } });
  // The page's own commands may have purged the entry.
  const gone = path.startsWith('/cache/entries/') && status === 404;
  return status === 200 || gone ? null : `${path} answered ${status}`;
}

const startMs = 60_000;
const ready = /"msg":"ready"/;

/** Starts a server as a page says, on addresses that are free, and stops it when it is ready; null if it became ready. */
async function started(text: string, folder: string, reaper: Reaper): Promise<string | null> {
  const child = spawn('sh', ['-c', `exec env ${text} --listen unix:${join(folder, 'serve.sock')} --admin 127.0.0.1:0`], {
    cwd: folder,
    env: { ...process.env, SLUICE_LEDGER: join(folder, 'serve.db') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid !== undefined) reaper.watch(child.pid);
  const said: string[] = [];
  const over = new Promise<void>((resolve) => child.once('close', () => resolve()));
  try {
    return await new Promise<string | null>((resolve) => {
      const late = setTimeout(() => resolve(`not ready: ${said.join('')}`), startMs);
      const hear = (chunk: Buffer): void => {
        said.push(String(chunk));
        if (!ready.test(said.join(''))) return;
        clearTimeout(late);
        resolve(null);
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.once('close', (code) => resolve(`ended with ${String(code)}: ${said.join('')}`));
    });
  } finally {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), startMs);
    await over;
    clearTimeout(late);
    if (child.pid !== undefined) reaper.forget(child.pid);
  }
}

/** Takes one step; null, or what is wrong. */
async function take(
  step: Step,
  {
    folder,
    stack,
    known,
    reaper,
  }: {
    readonly folder: string;
    readonly stack: Stack;
    readonly known: { readonly id: string; readonly entry: string };
    readonly reaper: Reaper;
  },
): Promise<string | null> {
  if (step.text.startsWith('GET ')) return asked(step.text, stack, known);
  const text = here(step.text.replace(/ &$/, ''), folder, stack, known);
  if (/\bserve\b/.test(text)) return started(text, folder, reaper);
  const { status, stderr } = spawnSync('sh', ['-c', text], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, SLUICE_LEDGER: stack.ledgerFile },
  });
  const allowed = fine.find(([pattern]) => pattern.test(step.text))?.[1] ?? [0];
  return status !== null && allowed.includes(status) ? null : `as ${text}\nended with ${String(status)}: ${stderr}`;
}

/** Why a step is not taken; undefined if it is. */
function leftOut({ text, within }: Step): string | undefined {
  if (text.startsWith('GET ')) return undefined;
  return within === 'text' ? 'within text' : notRun.find(([pattern]) => pattern.test(text))?.[1];
}

/** Walks the pages; `say` hears of each step. Returns what the first failure was, or null. */
export async function walk(which: readonly string[], say: (text: string) => void): Promise<string | null> {
  const simulator = new ProviderSimulator();
  const stack = new Stack({ policy, endpoint: await simulator.listen(), messageTimeout: '20s' });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-walk-'));
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(root, 'bin/sluice'), join(folder, 'bin/sluice'));
  const reaper = startReaper(folder);
  try {
    await stack.start();
    reaper.watch(stack.sluicePid, stack.envoyPid);
    const known = await prepare(folder, stack);
    for (const step of which.flatMap(stepsOf)) {
      const where = `${step.page}:${step.line}`;
      const why = leftOut(step);
      if (why !== undefined) {
        const wrong = lookThrough(step.text);
        say(`${wrong === null ? '·' : '✗'} ${where} ${step.text} (${why})`);
        if (wrong !== null) return `${where}: ${step.text}\n${wrong}`;
        continue;
      }
      const wrong = await take(step, { folder, stack, known, reaper });
      say(`${wrong === null ? '✓' : '✗'} ${where} ${step.text}`);
      if (wrong !== null) return `${where}: ${step.text}\n${wrong}`;
    }
    return null;
  } finally {
    const running = [stack.sluicePid, stack.envoyPid];
    await stack.stop();
    reaper.forget(...running);
    await simulator.close();
    await reaper.close();
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
