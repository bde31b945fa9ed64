/** Location of a ledger: a file, or a database shared by a fleet. */
export interface LedgerTarget {
  /** A file, or `postgres://…`. */
  readonly place: string;
  /** File with the database's password; null for the URL's, or none. */
  readonly passwordFile: string | null;
}
