/** Where a ledger is: a file, or a database that a fleet shares. */
export interface LedgerTarget {
  /** A file, or `postgres://…`. */
  readonly place: string;
  /** File with the database's password; null: the URL's, or none. */
  readonly passwordFile: string | null;
}
