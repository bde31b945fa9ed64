import { basename, dirname, join } from 'node:path';

/** The name of a socket until it is renamed to `path`, in place of one that may be served: as long as that, because the kernel takes 107 bytes. */
export function roomSocket(path: string): string {
  return beside(path, '~');
}

/** The same of the socket that workers share: their parent and the supervisor above it each have one. */
export function workersSocket(path: string): string {
  return beside(path, '+');
}

function beside(path: string, first: string): string {
  return join(dirname(path), `${first}${basename(path).slice(1)}`);
}
