import type { LedgerBackend } from './backend.ts';
import { clickhouse } from './clickhouse/backend.ts';
import { postgres } from './postgres/backend.ts';
import { sqlite } from './sqlite/backend.ts';

/** The first backend that handles a place is used. A file may have any name, so SQLite comes last. */
const backends: readonly LedgerBackend[] = [postgres, clickhouse, sqlite];

/** The backend that handles a place. */
export function backendOf(place: string): LedgerBackend {
  return backends.find((backend) => backend.owns(place)) ?? sqlite;
}

/** A place for display, without its password. */
export function shownPlace(place: string): string {
  return backendOf(place).shown(place);
}
