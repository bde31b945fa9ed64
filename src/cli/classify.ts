import { once } from 'node:events';
import type { Command } from 'commander';
import { z } from 'zod';
import { readExchange, recogniseByPath } from '../apis/index.ts';
import type { Exchange } from '../apis/types.ts';
import { classifyRequest } from '../classify/index.ts';
import { domains, taskTypes, tiers, type Verdict } from '../classify/types.ts';
import { SluiceError } from '../lib/errors.ts';
import { linesOf } from '../lib/lines.ts';
import { parseLine } from '../router/training/rows.ts';
import { openLines } from './open-lines.ts';

interface ClassifyFlags {
  readonly check?: string | true;
}

const text = z.string();
const rowSchema = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  prompt: text.optional(),
  system: text.optional(),
  expected_tier: z.enum(tiers).optional(),
  task: z.enum(taskTypes as [string, ...string[]]).optional(),
  domain: z.enum(domains as [string, ...string[]]).optional(),
});
type Row = z.infer<typeof rowSchema>;

/** What --check counts: rows that name a label, and those of them that the classifier answers so. */
type Counts = Record<'tier' | 'task' | 'domain', { rows: number; right: number }>;

/**
 * `sluice classify [FILE]`: reads JSON lines with `prompt` (and `system`), or whole requests of any API (as they are, or under `request`), from a file, plain
 * or `.gz`, or from stdin, and writes one line `{"id","tier","score","task","domain","language","confidence"}` each, in order. `--check SHARE` compares with
 * `expected_tier`, `task` and `domain` where rows have them, and fails (exit 1) where a share is below.
 */
export function registerClassify(program: Command): void {
  program
    .command('classify')
    .argument('[file]', 'JSON lines with prompt, or whole requests; - or nothing: stdin', '-')
    .description('say of each prompt what the classifier says: tier, score, task, domain, language')
    .option('--check [share]', "compare with the rows' expected_tier, task and domain; fail below this share of right answers (0.8 by default)")
    .action(classifyCommand);
}

async function classifyCommand(file: string, flags: ClassifyFlags): Promise<void> {
  const least = flags.check === undefined ? null : flags.check === true ? 0.8 : Number(flags.check);
  if (least !== null && !(least >= 0 && least <= 1)) throw new SluiceError('SLUICE_CLI_USAGE', `"${String(flags.check)}" is not a share from 0 to 1.`, { where: '--check' });
  const where = file === '-' ? 'stdin' : file;
  const counts: Counts = { tier: { rows: 0, right: 0 }, task: { rows: 0, right: 0 }, domain: { rows: 0, right: 0 } };
  let at = 0;
  for await (const line of linesOf(await openLines(file))) {
    at++;
    if (line.trim() === '') continue;
    const row = rowOf(line, `${where}:${at}`, least !== null);
    const verdict = classifyRequest(exchangeOf(row, `${where}:${at}`));
    count(counts, row, verdict);
    const { tier, score, task, domain, language, confidence } = verdict;
    if (!process.stdout.write(`${JSON.stringify({ id: row.id ?? at, tier, score, task, domain, language, confidence })}\n`)) await once(process.stdout, 'drain');
  }
  if (least !== null) report(counts, least, where);
}

function rowOf(line: string, where: string, labelled: boolean): Row {
  const parsed = rowSchema.safeParse(parseLine(line, where));
  if (parsed.success) return parsed.data;
  // A row's own `task` may mean something else where nobody asks to compare it.
  const lax = labelled ? null : rowSchema.omit({ expected_tier: true, task: true, domain: true }).safeParse(parseLine(line, where));
  if (lax?.success === true) return { ...lax.data, expected_tier: undefined, task: undefined, domain: undefined };
  const [issue] = parsed.error.issues;
  throw new SluiceError('SLUICE_ROWS_INVALID', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}.`, { where });
}

/** The row as the server would read it. */
function exchangeOf(row: Row, where: string): Exchange {
  const { path, body } = requestOf(row);
  const bytes = Buffer.from(JSON.stringify(body));
  const recognition = recogniseByPath({ method: 'POST', path, authority: '', contentType: 'application/json', contentEncoding: '', contentLength: bytes.length, upgrade: false });
  const read = recognition.kind === 'readable' ? readExchange(recognition, bytes) : null;
  if (read?.ok === true) return read.exchange;
  throw new SluiceError('SLUICE_ROWS_INVALID', 'this row is neither a prompt nor a request that Sluice reads.', { where, fix: 'Rows have "prompt", or are bodies of requests: "messages", "input" or "contents".' });
}

/** Members of a row that are not a request's. */
const ownMembers: ReadonlySet<string> = new Set(['id', 'prompt', 'system', 'expected_tier', 'task', 'domain', 'path']);

function requestOf(row: Row): { readonly path: string; readonly body: object } {
  const { prompt, system } = row;
  const rest: Record<string, unknown> = Object.fromEntries(Object.entries(row).filter(([name]) => !ownMembers.has(name)));
  const nested = rest['request'] ?? rest['body'];
  const body: Record<string, unknown> = typeof nested === 'object' && nested !== null ? { ...nested } : rest;
  const named = typeof row['path'] === 'string' ? row['path'] : null;
  const model = { model: 'any', ...body };
  if ('contents' in body) return { path: named ?? '/v1beta/models/any:generateContent', body };
  if ('messages' in body) return { path: named ?? (system !== undefined || 'system' in body ? '/v1/messages' : '/v1/chat/completions'), body: system === undefined ? model : { ...model, system } };
  if ('input' in body) return { path: named ?? '/v1/responses', body: model };
  const messages = [...(system === undefined ? [] : [{ role: 'system', content: system }]), { role: 'user', content: prompt ?? '' }];
  return prompt === undefined ? { path: named ?? '/', body } : { path: '/v1/chat/completions', body: { model: 'any', messages } };
}

function count(counts: Counts, row: Row, verdict: Verdict): void {
  for (const [name, expected] of [['tier', row.expected_tier], ['task', row.task], ['domain', row.domain]] as const) {
    if (expected === undefined) continue;
    counts[name].rows++;
    if (verdict[name] === expected) counts[name].right++;
  }
}

function report(counts: Counts, least: number, where: string): void {
  const lines = Object.entries(counts).filter(([, { rows }]) => rows > 0);
  if (lines.length === 0) throw new SluiceError('SLUICE_ROWS_INVALID', 'no row has expected_tier, task or domain to compare with.', { where });
  for (const [name, { rows, right }] of lines) process.stderr.write(`${name}: ${right} of ${rows} right (${((100 * right) / rows).toFixed(1)}%)\n`);
  const short = lines.filter(([, { rows, right }]) => right / rows < least).map(([name]) => name);
  if (short.length > 0) throw new SluiceError('SLUICE_CLASSIFY_BELOW', `${short.join(' and ')}: below ${(100 * least).toFixed(0)}%.`, { where });
}
