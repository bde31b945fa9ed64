import type { LedgerBackend } from './backend.ts';
import { postgres } from './postgres/backend.ts';
import { sqlite } from './sqlite/backend.ts';

/** Asked in turn whose a place is. A file may have any name: SQLite is the last. */
const backends: readonly LedgerBackend[] = [postgres, sqlite];

/** The kind of database that a place is in. */
export function backendOf(place: string): LedgerBackend {
  return backends.find((backend) => backend.owns(place)) ?? sqlite;
}

/** A place for people: without its password. */
export function shownPlace(place: string): string {
  return backendOf(place).shown(place);
}
