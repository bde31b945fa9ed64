import type { Command } from 'commander';
import { SluiceError } from '../errors.ts';
import { readToken } from './read-token.ts';

interface AdminFlags {
  readonly admin: string;
}

interface PurgeFlags extends AdminFlags {
  readonly id?: string;
  readonly workspace?: string;
  readonly model?: string;
  readonly tag?: string;
  /** File with the admin token. */
  readonly token?: string;
  readonly olderThan?: string;
  readonly all?: true;
}

/** Longest time to wait for the admin server, in ms: a purge of a large Redis walks all of it. */
const fetchMs = 60_000;

/** `sluice cache stats|purge|inspect`: asks a running server's admin address; prints JSON. */
export function registerCache(program: Command): void {
  const cache = program.command('cache').description('looks into the cache of a running server, and empties it');
  const admin = ['--admin <url>', 'its admin address', 'http://127.0.0.1:9901'] as const;
  cache
    .command('stats')
    .description('entries, bytes, evictions, requests in flight')
    .option(...admin)
    .action(async (flags: AdminFlags) => print(await ask(flags.admin, 'GET', '/cache')));
  cache
    .command('inspect')
    .description('what is known of one entry, without its answer')
    .argument('<id>', 'the entry, as x-sluice-cache-entry says it; its beginning is enough')
    .option(...admin)
    .action(async (id: string, flags: AdminFlags) => print(await ask(flags.admin, 'GET', `/cache/entries/${encodeURIComponent(id)}`)));
  cache
    .command('purge')
    .description('removes entries; all conditions that are given must hold')
    .option('--id <id>', 'the entry, or the beginning of its id')
    .option('--workspace <name>', 'of this workspace')
    .option('--model <name>', 'asked for or answered by this model')
    .option('--tag <name>', 'that a caller tagged so')
    .option('--older-than <seconds>', 'stored at least so long ago')
    .option('--all', 'everything')
    .option('--token <file>', "file with the server's admin token, where it has one")
    .option(...admin)
    .action(async (flags: PurgeFlags) => {
      const query = new URLSearchParams();
      for (const name of ['id', 'workspace', 'model', 'tag'] as const) {
        const value = flags[name];
        if (value !== undefined) query.set(name, value);
      }
      if (flags.olderThan !== undefined) query.set('older-than', flags.olderThan);
      if (flags.all === true) query.set('all', 'true');
      print(await ask(flags.admin, 'DELETE', `/cache/entries?${query.toString()}`, flags.token === undefined ? null : readToken(flags.token)));
    });
}

function print(text: string): void {
  process.stdout.write(text);
}

async function ask(admin: string, method: string, path: string, token: string | null = null): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(new URL(path, admin), { method, ...(token === null ? {} : { headers: { authorization: `Bearer ${token}` } }), signal: AbortSignal.timeout(fetchMs) });
    text = await response.text();
  } catch (error) {
    throw new SluiceError('SLUICE_CACHE_ADMIN', error instanceof Error ? error.message : String(error), { where: admin, cause: error });
  }
  if (response.ok) return text;
  const message = messageOf(text) ?? `it answered ${response.status}.`;
  if (response.status === 400) throw new SluiceError('SLUICE_CLI_USAGE', message, { where: 'cache' });
  throw new SluiceError(response.status === 404 ? 'SLUICE_CACHE_UNKNOWN' : 'SLUICE_CACHE_ADMIN', message, { where: admin });
}

function messageOf(text: string): string | null {
  try {
    const { error } = JSON.parse(text) as { readonly error?: { readonly message?: unknown } };
    return typeof error?.message === 'string' ? error.message : null;
  } catch {
    return null;
  }
}
