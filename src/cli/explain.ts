import type { Command } from 'commander';
import { apis } from '../apis/registry.ts';
import { SluiceError } from '../lib/errors.ts';
import { backendOf } from '../ledger/backends.ts';
import { explainRecord } from '../route/explain.ts';
import { defaultAdmin, shared } from './flags/shared.ts';
import { findInLedger, findInLog, fetchDecision, type GradedRecord } from './find-record.ts';
import { defaultLedger } from './open-ledger.ts';
import { fileOf } from './stdin.ts';

interface ExplainFlags {
  readonly log?: string;
  readonly ledger?: string;
  readonly admin?: string;
  readonly request?: string;
  readonly policy?: string;
  readonly catalog?: string;
  readonly model?: string;
  readonly api?: string;
  readonly path?: string;
  readonly host: string;
  readonly header: readonly string[];
  readonly json?: boolean;
}

/** Paths of the APIs whose path does not name a model. */
const pathByApi: ReadonlyMap<string, string> = new Map(
  Object.values(apis).flatMap(({ name, request: { path } }) => (path === null ? [] : [[name, path]])),
);

/** `sluice explain`: why a request was routed as it was. Prints text, or the record with --json. */
export function registerExplain(program: Command): void {
  program
    .command('explain')
    .argument(
      '[id]',
      "a decision id, or as much of its beginning as no other has; or the provider's id of the answer, the app's of the request, or a trace's",
    )
    .description('say why a request went where it went: a past one by its id, or a request file by the current policy')
    .option('--log <file>', "look in the server's log; - for stdin", fileOf)
    .option('--ledger <file>', "look in the server's ledger")
    .option('--admin <url>', `ask this admin server (default: ${defaultAdmin}, then the ledger in $SLUICE_LEDGER or where serve keeps it)`)
    .option('--request <file>', 'a request body to decide now; - for stdin; nothing is sent', fileOf)
    .option(...shared.policy)
    .option(...shared.catalog)
    .option(
      '--model <file>',
      "with --request: learned router's model; - for stdin (default: the one that comes with Sluice)",
      fileOf,
      process.env['SLUICE_MODEL'],
    )
    .option('--api <api>', `with --request: the API that is called: ${[...pathByApi.keys()].join(', ')}`)
    .option('--path <path>', 'with --request: the path on the gateway (default: /v1/chat/completions, or that of --api)')
    .option('--host <name>', 'with --request: the authority', 'localhost')
    .option('--header <name=value>', 'with --request: a header; may be given more than once', collect, [])
    .option(...shared.json)
    .action(async (id: string | undefined, flags: ExplainFlags) => {
      const record = await recordFor(id, flags);
      process.stdout.write(flags.json === true ? `${JSON.stringify(record, null, 2)}\n` : explainRecord(record, record.grades ?? []));
    });
}

function collect(value: string, all: readonly string[]): readonly string[] {
  return [...all, value];
}

async function recordFor(id: string | undefined, flags: ExplainFlags): Promise<GradedRecord> {
  if ((id === undefined) === (flags.request === undefined))
    throw new SluiceError('SLUICE_CLI_USAGE', 'give either a decision id or --request FILE.');
  if (flags.request !== undefined) {
    const { decideRequest } = await import('./decide-request.ts');
    return decideRequest({ ...flags, request: flags.request, path: flags.path ?? pathOf(flags.api ?? 'openai-chat') });
  }
  if (flags.ledger !== undefined) return findInLedger(flags.ledger, id!);
  if (flags.log !== undefined) return findInLog(flags.log, id!);
  return flags.admin === undefined ? find(id!) : fetchDecision(flags.admin, id!);
}

/** Default source: the server on this machine; if it does not know the id or does not run, the ledger that commands read by default. */
async function find(id: string): Promise<GradedRecord> {
  try {
    return await fetchDecision(defaultAdmin, id);
  } catch (error) {
    const ledger = process.env['SLUICE_LEDGER'] ?? defaultLedger();
    if (!backendOf(ledger).isThere(ledger)) throw error;
    return findInLedger(ledger, id);
  }
}

function pathOf(api: string): string {
  const path = pathByApi.get(api);
  if (path === undefined)
    throw new SluiceError('SLUICE_CLI_USAGE', `${api} has no path of its own.`, {
      where: '--api',
      fix: `Give --path, or one of ${[...pathByApi.keys()].join(', ')}.`,
    });
  return path;
}
