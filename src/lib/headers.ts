/** Headers of one direction; names are lower case, including pseudo headers (`:path`, `:status`). */
export interface HeaderMap {
  /** First value or undefined. */
  get(name: string): string | undefined;
  /** Whether there are several headers of this name. Absent if there never are. */
  repeated?(name: string): boolean;
  /** All pairs in order. */
  entries(): Iterable<readonly [string, string]>;
}

export interface HeaderMutation {
  /** Headers to overwrite or add. */
  readonly set: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

/** A body as consecutive pieces: a changed one is mostly views of the original, so that no large data is copied. */
export type Body = Buffer | readonly Buffer[];
