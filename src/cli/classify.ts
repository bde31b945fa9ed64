import { once } from 'node:events';
import type { Command } from 'commander';
import { loadCatalog } from '../catalog/index.ts';
import { Embedder } from '../classify/embedding/embedder.ts';
import { classifyRequest, type ClassifyOptions } from '../classify/index.ts';
import type { Verdict } from '../classify/types.ts';
import { SluiceError } from '../lib/errors.ts';
import { linesOfFile } from '../lib/lines.ts';
import { exchangeOf, rowOf, type PromptRow } from './prompt-rows.ts';
import { shared } from './flags/shared.ts';
import { readPolicy } from './read-policy.ts';

interface ClassifyFlags {
  readonly check?: string | true;
  readonly policy?: string;
  readonly workspace: string;
  readonly catalog?: string;
  readonly embedding?: string;
}

/** Counts for --check: rows with a label, and how many of them the classifier answers correctly. */
type Counts = Record<'tier' | 'task' | 'domain', { rows: number; right: number }>;

/**
 * `sluice classify [FILE]`: reads JSON lines with `prompt` (and `system`), or whole requests of any API (at the top level, or under
 * `request`), from a file, plain or `.gz`, or from stdin, and writes one line
 * `{"id","tier","score","task","domain","language","confidence"}` each, in order. `--check SHARE` compares with `expected_tier`, `task` and
 * `domain` in rows that have them, and fails (exit 1) if a share is below. `--embedding FOLDER` joins the vectors of a sentence model. With `--policy` the thresholds and the teaching of that policy's
 * section for `--workspace` apply, and each line lists in `taught` what moved it.
 */
export function registerClassify(program: Command): void {
  program
    .command('classify')
    .argument('[file]', 'JSON lines with prompt, or whole requests; - or nothing: stdin', '-')
    .description('say of each prompt what the classifier says: tier, score, task, domain, language')
    .option(
      '--check [share]',
      "compare with the rows' expected_tier, task and domain; fail below this share of right answers (0.8 by default)",
    )
    .option(...shared.json)
    .option(...shared.policy)
    .option('--workspace <name>', 'whose section of the policy counts', 'default')
    .option(...shared.catalog)
    .option('--embedding <folder>', 'sentence model whose vectors join: a folder that scripts/setup.sh embedding made')
    .action(classifyCommand);
}

async function classifyCommand(file: string, flags: ClassifyFlags): Promise<void> {
  const least = flags.check === undefined ? null : flags.check === true ? 0.8 : Number(flags.check);
  if (least !== null && !(least >= 0 && least <= 1))
    throw new SluiceError('SLUICE_CLI_USAGE', `"${String(flags.check)}" is not a share from 0 to 1.`, { where: '--check' });
  const where = file === '-' ? 'stdin' : file;
  const taught = await taughtBy(flags);
  await using embedder = await embedderOf(flags);
  const counts: Counts = { tier: { rows: 0, right: 0 }, task: { rows: 0, right: 0 }, domain: { rows: 0, right: 0 } };
  let at = 0;
  for await (const line of linesOfFile(file)) {
    at++;
    if (line.trim() === '') continue;
    const row = rowOf(line, `${where}:${at}`, least !== null);
    const exchange = exchangeOf(row, `${where}:${at}`);
    const embedded = (await embedder?.find(exchange, longestMs)) ?? null;
    const verdict = classifyRequest(exchange, { ...taught, embedded });
    count(counts, row, verdict);
    const { tier, score, task, domain, language, confidence } = verdict;
    const moved = taught.taught == null ? {} : { taught: taught.taught.moved.map(({ signal }) => signal) };
    if (!process.stdout.write(`${JSON.stringify({ id: row.id ?? at, tier, score, task, domain, language, confidence, ...moved })}\n`))
      await once(process.stdout, 'drain');
  }
  if (least !== null) report(counts, least, where);
}

/** Vectors are always waited for: each prompt is judged with its own. */
const longestMs = 60_000;

async function embedderOf({ embedding }: ClassifyFlags): Promise<Embedder | null> {
  if (embedding === undefined) return null;
  return Embedder.open({
    folder: embedding,
    onProblem: (error) => {
      throw error;
    },
  });
}

/**
 * A policy's classifier settings; empty without a policy. Prompts without a request of their own count as requests to OpenAI's provider.
 */
async function taughtBy({ policy, workspace, catalog }: ClassifyFlags): Promise<ClassifyOptions> {
  return policy === undefined ? {} : readPolicy(policy, await loadCatalog(catalog)).section(workspace, 'openai').classifier;
}

function count(counts: Counts, row: PromptRow, verdict: Verdict): void {
  for (const [name, expected] of [
    ['tier', row.expected_tier],
    ['task', row.task],
    ['domain', row.domain],
  ] as const) {
    if (expected === undefined) continue;
    counts[name].rows++;
    if (verdict[name] === expected) counts[name].right++;
  }
}

function report(counts: Counts, least: number, where: string): void {
  const lines = Object.entries(counts).filter(([, { rows }]) => rows > 0);
  if (lines.length === 0)
    throw new SluiceError('SLUICE_ROWS_INVALID', 'no row has expected_tier, task or domain to compare with.', { where });
  for (const [name, { rows, right }] of lines)
    process.stderr.write(`${name}: ${right} of ${rows} right (${((100 * right) / rows).toFixed(1)}%)\n`);
  const short = lines.filter(([, { rows, right }]) => right / rows < least).map(([name]) => name);
  if (short.length > 0)
    throw new SluiceError('SLUICE_CLASSIFY_BELOW', `${short.join(' and ')}: below ${(100 * least).toFixed(0)}%.`, { where });
}
