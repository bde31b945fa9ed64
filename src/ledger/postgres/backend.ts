import type { LedgerBackend } from '../backend.ts';
import { shownUrl } from '../shown-url.ts';
import { awayCodes } from '../unusable.ts';

/** Error codes of Node and PostgreSQL for a server that is temporarily unreachable. */
const away: ReadonlySet<string> = new Set([
  ...awayCodes,
  '57P01',
  '57P02',
  '57P03',
  '53300',
  // Another replica brings the tables up to date.
  '57014',
  '55P03',
]);

/** A ledger shared by a fleet. The client library is only loaded when a ledger is opened. */
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
    // The client sets no code on its own time-outs, or when the server closes the connection.
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
