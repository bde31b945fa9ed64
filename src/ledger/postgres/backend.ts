import type { LedgerBackend } from '../backend.ts';
import { shownUrl } from './url.ts';

/** Node's and PostgreSQL's words for a server that cannot be reached now, and may be later. */
const away: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'EAI_AGAIN',
  'ENOTFOUND',
  '57P01',
  '57P02',
  '57P03',
  '53300',
]);

/** A ledger that a fleet shares. The client is loaded where a ledger is opened, and only there. */
export const postgres: LedgerBackend = {
  name: 'PostgreSQL',
  shared: true,
  owns: (place) => /^postgres(?:ql)?:\/\//.test(place),
  shown: shownUrl,
  isThere: () => true,

  isAway(error) {
    const cause: unknown = error instanceof Error ? (error.cause ?? error) : null;
    if (!(cause instanceof Error)) return false;
    const { code } = cause as NodeJS.ErrnoException;
    // The client gives no code where its own patience ends, or the server hangs up.
    return code === undefined ? /timeout|terminated/i.test(cause.message) : away.has(code);
  },

  async openReader(target) {
    return (await import('./reader.ts')).openPostgresReader(target);
  },

  async openWriter(target, { version }) {
    const writer = await (await import('./store.ts')).PostgresWriter.open(target, { version });
    return { writer, end: () => writer.end() };
  },

  async openRows(target, from) {
    return (await import('./copy.ts')).openCopy(target, from);
  },
};
