/** Headers of one direction; names are lower case, pseudo headers (`:path`, `:status`) included. */
export interface HeaderMap {
  /** First value or undefined. */
  get(name: string): string | undefined;
  /** Whether there is more than one header of this name. Absent: never. */
  repeated?(name: string): boolean;
  /** All pairs in order. */
  entries(): Iterable<readonly [string, string]>;
}

export interface HeaderMutation {
  /** Overwritten or added. */
  readonly set: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

/** A body in pieces that follow each other: a changed one is mostly views of the one that came, so that nothing large is copied. */
export type Body = Buffer | readonly Buffer[];
