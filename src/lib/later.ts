/** What is not there yet. The one kind of it on a request's path: what asks for it says how long it may take, and who asked may go meanwhile. */
export interface Later<T> {
  readonly kind: 'later';
  /** How long it may take beyond what everybody waits for anyhow, in ms; 0: it comes within that. */
  readonly ms: number;
  readonly result: Promise<T | Later<T>>;
}
