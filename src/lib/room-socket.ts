import { basename, dirname, join } from 'node:path';

/** The name of a socket until it is renamed to `path`, in place of one that may be served: as long as that, because the kernel takes 107 bytes. */
export function roomSocket(path: string): string {
  return join(dirname(path), `~${basename(path).slice(1)}`);
}
