import { counted } from '../lib/counted.ts';
import type { Command } from 'commander';
import type { CacheStats } from '../cache/cache.ts';
import { SluiceError } from '../lib/errors.ts';
import { askAdmin } from './ask-admin.ts';
import { shared } from './flags/shared.ts';

interface AdminFlags {
  readonly admin: string;
}

interface PurgeFlags extends AdminFlags {
  readonly id?: string;
  readonly workspace?: string;
  readonly model?: string;
  readonly tag?: string;
  readonly olderThan?: string;
  readonly all?: true;
  readonly adminToken?: string;
}

/** Response of the admin address at /cache: the cache's state, and its counts by kind since the server started. */
type CacheAnswer = CacheStats & { readonly exchanges: Readonly<Record<string, number>> };

/** `sluice cache stats|purge|inspect`: calls a running server's admin address. */
export function registerCache(program: Command): void {
  const cache = program.command('cache').description('looks into the cache of a running server, and empties it');
  cache
    .command('stats')
    .description('entries, bytes, evictions, requests in flight, and what the cache did')
    .option(...shared.admin)
    .option(...shared.json)
    .action(async (flags: AdminFlags & { readonly json?: true }) => {
      const answer = (await askAdmin(flags.admin, '/cache')) as CacheAnswer;
      process.stdout.write(flags.json === true ? `${JSON.stringify(answer, null, 2)}\n` : statsText(answer));
    });
  cache
    .command('inspect')
    .description('what is known of one entry, without its answer, as JSON')
    .argument('<id>', 'the entry, as x-sluice-cache-entry says it; its beginning is enough')
    .option(...shared.admin)
    .option(...shared.json)
    .action(async (id: string, flags: AdminFlags) =>
      print(
        await askAdmin(flags.admin, `/cache/entries/${encodeURIComponent(id)}`, {
          refusal: (status) => (status === 404 ? 'SLUICE_CACHE_UNKNOWN' : undefined),
        }),
      ),
    );
  cache
    .command('purge')
    .description('removes entries; all conditions that are given must hold')
    .option('--id <id>', 'the entry, or the beginning of its id')
    .option(...shared.ofWorkspace)
    .option('--model <name>', 'asked for or answered by this model')
    .option('--tag <name>', 'that a caller tagged so')
    .option('--older-than <seconds>', 'stored at least so long ago')
    .option('--all', 'everything')
    .option(...shared.admin)
    .option(...shared.adminToken)
    .option(...shared.json)
    .action(async (flags: PurgeFlags) => {
      const query = new URLSearchParams();
      for (const name of ['id', 'workspace', 'model', 'tag'] as const) {
        const value = flags[name];
        if (value !== undefined) query.set(name, value);
      }
      if (flags.olderThan !== undefined) query.set('older-than', flags.olderThan);
      if ((flags.all === true) === query.size > 0)
        throw new SluiceError('SLUICE_CLI_USAGE', 'say what to remove, or --all and nothing else.', { where: 'cache purge' });
      if (flags.all === true) query.set('all', 'true');
      print(
        await askAdmin(flags.admin, '/cache/entries', {
          query,
          order: { method: 'DELETE', tokenFile: flags.adminToken },
          refusal: (status) => (status === 400 ? 'SLUICE_CLI_USAGE' : undefined),
        }),
      );
    });
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

function statsText({ entries, bytes, maxBytes, evictions, redis, flights, waiting, collecting, exchanges }: CacheAnswer): string {
  const mebibytes = (count: number): string => (count / 1_048_576).toFixed(1);
  const done = Object.entries(exchanges).filter(([, count]) => count > 0);
  return [
    `memory     ${counted(entries, 'entry')}, ${mebibytes(bytes)} of ${mebibytes(maxBytes)} MiB, ${evictions} evicted for room`,
    `redis      ${redis}`,
    `in flight  ${flights} asked of providers, ${waiting} waiting for one of them, ${mebibytes(collecting)} MiB of answers on their way into the cache`,
    `exchanges  ${done.length === 0 ? 'none yet' : done.map(([kind, count]) => `${count} ${kind}`).join(', ')}`,
    '',
  ].join('\n');
}
