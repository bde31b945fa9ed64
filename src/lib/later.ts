/**
 * A value that is not available yet. The only asynchronous value on the request path: the provider states how long it may take, and the
 * requester may leave meanwhile.
 */
export interface Later<T> {
  readonly kind: 'later';
  /** Additional time that it may take beyond the usual wait, in ms; 0 if it arrives within that. */
  readonly ms: number;
  readonly result: Promise<T | Later<T>>;
}
