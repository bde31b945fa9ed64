import type { LedgerBackend } from '../backend.ts';
import { shownUrl } from '../shown-url.ts';
import { awayCodes } from '../unusable.ts';

/** Error codes of Node for a server that is temporarily unreachable, and of ClickHouse for one that is too busy. */
const away: ReadonlySet<string> = new Set([...awayCodes, 'TOO_MANY_SIMULTANEOUS_QUERIES', 'TOO_MANY_PARTS', 'TIMEOUT_EXCEEDED']);

/** A ledger beyond what one PostgreSQL takes. The client library is only loaded when a ledger is opened. */
export const clickhouse: LedgerBackend = {
  name: 'ClickHouse',
  shared: true,
  owns: (place) => place.startsWith('clickhouse://'),
  shown: shownUrl,
  isThere: () => true,

  isAway(error) {
    const cause: unknown = error instanceof Error ? (error.cause ?? error) : null;
    if (!(cause instanceof Error)) return false;
    const { code, type } = cause as NodeJS.ErrnoException & { readonly type?: string };
    return away.has(code ?? '') || away.has(type ?? '') || /timeout|socket hang up/i.test(cause.message);
  },

  async openReader(target) {
    return (await import('./reader.ts')).openClickHouseReader(target);
  },

  async openWriter(target, { version }) {
    const writer = await (await import('./store.ts')).ClickHouseWriter.open(target, { version });
    return { writer, end: () => writer.end() };
  },

  async openRows(target, from) {
    return (await import('./copy.ts')).openCopy(target, from);
  },
};
