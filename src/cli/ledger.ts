import { counted } from '../lib/counted.ts';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { Option, type Command } from 'commander';
import { linesOfFile } from '../lib/lines.ts';
import { userHash } from '../budgets/user.ts';
import { SluiceError, unwritable } from '../lib/errors.ts';
import { readBytes, withFile } from '../lib/read-file.ts';
import type { ExportFormat } from '../ledger/export.ts';
import { parsePeriod } from '../ledger/query.ts';
import type { Whose } from '../ledger/sqlite/store.ts';
import { shownPlace } from '../ledger/backends.ts';
import type { Checkpoint } from '../ledger/types.ts';
import { verifyLedger, type VerifyResult } from '../ledger/verify.ts';
import { shared } from './flags/shared.ts';
import { eraseIn, withRows } from './open-ledger.ts';
import { Progress } from './progress.ts';
import { fileOf } from './stdin.ts';

/** `sluice ledger verify|export|erase`. */
export function registerLedger(program: Command): void {
  const ledger = program.command('ledger').description('check, export or erase what the ledger holds');
  registerVerify(ledger);
  registerExport(ledger);
  registerErase(ledger);
}

function registerVerify(ledger: Command): void {
  ledger
    .command('verify')
    .description(
      'check the whole ledger, its sums too: exit 0 when it holds what was written, 1 when anything was altered, removed or moved',
    )
    .option(...shared.ledger)
    .option(
      '--public-key <file>',
      'PEM of the Ed25519 public key that checkpoints are signed with: rows that no signature covers are faults; - for stdin',
      fileOf,
    )
    .option('--log <file>', 'a log of the server: its checkpoints also find an end that was cut off; - for stdin', fileOf)
    .option(...shared.json)
    .action(verify);
}

async function verify(flags: {
  readonly ledger?: string;
  readonly publicKey?: string;
  readonly log?: string;
  readonly json?: boolean;
}): Promise<void> {
  const options = {
    publicKey: flags.publicKey === undefined ? null : keyIn(flags.publicKey, createPublicKey),
    checkpoints: flags.log === undefined ? [] : await checkpointsIn(flags.log),
  };
  const progress = new Progress('row');
  const result = await withRows(flags.ledger, null, (db, { doubled = [], moving = [], foreign = [] }) =>
    verifyLedger(db, { ...options, doubled, moving, foreign, progress: progress.tick }),
  );
  progress.done();
  process.stdout.write(flags.json === true ? `${JSON.stringify(result, null, 2)}\n` : resultText(result, flags.log !== undefined));
  if (!result.ok)
    throw new SluiceError(
      'SLUICE_LEDGER_BROKEN',
      `${counted(result.faultCount, 'fault')} in ${counted(result.rows, 'row')}.`,
      flags.ledger === undefined ? {} : { where: shownPlace(flags.ledger) },
    );
}

function registerExport(ledger: Command): void {
  ledger
    .command('export')
    .description('write exchanges to a file, oldest first')
    .addOption(
      new Option('--format <format>', 'jsonl: whole records; csv, parquet: the columns')
        .choices(['jsonl', 'csv', 'parquet'])
        .default('jsonl'),
    )
    .requiredOption('--out <file>', 'a file, or - for stdout')
    .option(...shared.window)
    .option(...shared.month)
    .option(...shared.from)
    .option(...shared.to)
    .option(...shared.ledger)
    .option(...shared.json)
    .action(exportRows);
}

async function exportRows(flags: ExportFlags): Promise<void> {
  if (flags.format === 'parquet' && flags.out === '-')
    throw new SluiceError('SLUICE_CLI_USAGE', 'Parquet is written to a file.', { where: '--out' });
  const { from, to } = periodOf(flags);
  const progress = new Progress('exchange');
  const count = await withRows(flags.ledger, from, (db) =>
    // Parquet's writer is loaded only when needed.
    import('../ledger/export.ts')
      .then(({ exportLedger }) => exportLedger(db, { format: flags.format, file: flags.out, from, to, progress: progress.tick }))
      .catch((error: unknown) => {
        throw unwritable(flags.out, error);
      }),
  );
  progress.done();
  // stdout carries the export itself.
  if (flags.json === true)
    (flags.out === '-' ? process.stderr : process.stdout).write(`${JSON.stringify({ exchanges: count, out: flags.out })}\n`);
  else process.stderr.write(`${counted(count, 'exchange')} written to ${flags.out === '-' ? 'stdout' : flags.out}\n`);
}

function registerErase(ledger: Command): void {
  ledger
    .command('erase')
    .description(
      "erase what is held of a workspace's or a user's exchanges; the chain stays verifiable, and an entry says what was erased and why",
    )
    .option('--workspace <name>', 'whose exchanges')
    .option('--user <name>', 'whose exchanges, as the user header named them')
    .option('--user-hash <hash>', 'the same, as records hold it')
    .requiredOption('--reason <text>', 'stands in the ledger')
    .option(...shared.ledger)
    .option(
      '--ledger-key <file>',
      'PEM of the Ed25519 private key that signs what this adds; - for stdin (default: the running server signs it within the hour)',
      fileOf,
    )
    .option(...shared.json)
    .action(erase);
}

async function erase(flags: EraseFlags): Promise<void> {
  const whose = whoseOf(flags);
  const erased = await eraseIn(flags.ledger, {
    whose,
    reason: flags.reason,
    key: flags.ledgerKey === undefined ? null : keyIn(flags.ledgerKey, createPrivateKey),
  });
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ erased, ...whose })}\n`
      : `${counted(erased, 'row')} of ${'workspace' in whose ? whose.workspace : `user ${whose.user}`} erased: exchanges, and grades of them. Logs and exports are not reached from here.\n`,
  );
}

/** Everything if no period is given. */
function periodOf(flags: ExportFlags): { readonly from: number; readonly to: number } {
  const now = Date.now() + 1;
  const { window, month, from, to } = flags;
  return window === undefined && month === undefined && from === undefined && to === undefined
    ? { from: 0, to: now }
    : parsePeriod(flags, now);
}

interface ExportFlags {
  readonly month?: string;
  readonly from?: string;
  readonly to?: string;
  readonly format: ExportFormat;
  readonly out: string;
  readonly window?: string;
  readonly ledger?: string;
  readonly json?: boolean;
}

interface EraseFlags {
  readonly workspace?: string;
  readonly user?: string;
  readonly userHash?: string;
  readonly reason: string;
  readonly ledger?: string;
  readonly ledgerKey?: string;
  readonly json?: boolean;
}

function whoseOf({ workspace, user, userHash: hash }: EraseFlags): Whose {
  const said = [
    ...(workspace === undefined ? [] : [{ workspace }]),
    ...(user === undefined ? [] : [{ user: userHash(user) }]),
    ...(hash === undefined ? [] : [{ user: hash.toLowerCase() }]),
  ];
  const [whose] = said;
  if (whose === undefined || said.length > 1)
    throw new SluiceError('SLUICE_CLI_USAGE', 'exactly one of them is asked for.', { where: '--workspace, --user, --user-hash' });
  if (hash !== undefined && !/^[0-9a-f]{16}$/i.test(hash))
    throw new SluiceError('SLUICE_CLI_USAGE', 'a hash has 16 hex digits.', { where: '--user-hash' });
  return whose;
}

function keyIn(file: string, read: (pem: Buffer) => KeyObject): KeyObject {
  const pem = readBytes(file);
  return withFile(file, () => read(pem));
}

/** The checkpoints that a server wrote to its log. */
async function checkpointsIn(file: string): Promise<Checkpoint[]> {
  const found: Checkpoint[] = [];
  for await (const line of linesOfFile(file)) {
    if (!line.includes('"ledger checkpoint"')) continue;
    const checkpoint = checkpointIn(line);
    if (checkpoint !== null) found.push(checkpoint);
  }
  return found;
}

function checkpointIn(line: string): Checkpoint | null {
  try {
    return (JSON.parse(line) as { readonly checkpoint?: Checkpoint }).checkpoint ?? null;
  } catch {
    // A line cut off by a crash is not a checkpoint.
    return null;
  }
}

/** What was found, and what was not looked for: chains and sums alone cannot show that somebody rewrote all of them. */
function resultText(result: VerifyResult, withLog: boolean): string {
  const unchecked = [
    ...(result.unsigned === null ? ['who wrote it (--public-key)'] : []),
    ...(withLog ? [] : ['whether newer rows were cut off (--log)']),
  ];
  const lines = [
    ...result.faults.map(
      ({ kind, writer, seq, message }) => `✗ ${kind}${writer === '' ? '' : ` ${writer}`}${seq === null ? '' : ` row ${seq}`}: ${message}`,
    ),
    ...(result.faultCount > result.faults.length ? [`✗ and ${result.faultCount - result.faults.length} more`] : []),
    ...result.gaps.map((gap) => `· ${gap}`),
    `${counted(result.rows, 'row')} of ${counted(result.writers, 'writer')}, ${result.erased} of them erased, ${counted(result.checkpoints, 'checkpoint')}${result.unsigned === null || result.unsigned === 0 ? '' : `, ${result.unsigned} not yet signed`}: ${result.ok ? 'everything holds' : counted(result.faultCount, 'fault')}.`,
    ...(unchecked.length === 0 ? [] : [`Not checked: ${unchecked.join(', ')}.`]),
  ];
  return `${lines.join('\n')}\n`;
}
