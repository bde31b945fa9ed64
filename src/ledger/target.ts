/** Where a ledger is: an SQLite file, or a PostgreSQL database that a fleet shares. */
export interface LedgerTarget {
  /** A file, or `postgres://…`. */
  readonly place: string;
  /** File with the database's password; null: the URL's, or none. */
  readonly passwordFile: string | null;
}

export function isPostgres(place: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(place);
}

/** For people: a URL without its password. */
export function shownPlace(place: string): string {
  return isPostgres(place) ? place.replace(/^([a-z]+:\/\/[^:@/]*):[^@/]*@/, '$1@') : place;
}
