import { existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { SluiceError } from '../lib/errors.ts';

/** The path of a `unix:` address; null for `host:port`. */
export function socketPath(address: string): string | null {
  return address.startsWith('unix:') ? address.slice('unix:'.length) : null;
}

/**
 * Removes a socket file that a killed process left, since bind would fail. Throws SluiceError if the socket answers: another process
 * uses it.
 */
export async function clearStaleSocket(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (alive) throw new SluiceError('SLUICE_LISTEN', 'another process listens on this socket.', { where: `unix:${path}` });
  rmSync(path, { force: true });
}
