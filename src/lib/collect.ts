import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Time after the start, in ms. */
const afterMs = 5_000;

/**
 * Gives back the memory that the start of this thread needed and nothing holds any more (10 to 15 MB), once, if `used` says that there was
 * nothing to do since. V8 itself collects when it allocates, which an unused process does not do. Under load the collection would delay
 * requests; then there is one soon anyway.
 */
export function collectWhenUnused(used: () => boolean, work: () => void = collect): NodeJS.Timeout {
  return setTimeout(() => {
    if (!used()) work();
  }, afterMs).unref();
}

/** Collects all garbage, and gives free pages back to the system. Stops this thread meanwhile. */
export function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;
  // V8 takes code from the build only under the flags that it was made with.
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major', flavor: 'last-resort' });
}
