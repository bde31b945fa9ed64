import { existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { SluiceError } from '../lib/errors.ts';

/** The path of a `unix:` address; null for host:port. */
export function socketPath(address: string): string | null {
  return address.startsWith('unix:') ? address.slice('unix:'.length) : null;
}

/**
 * A socket file that a killed process left would make bind fail, and is removed; one that answers belongs to somebody.
 * Throws SluiceError for the latter.
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

/** Envoy resets every stream that its processor ends first, and the copies' streams always. Node takes more than 33 resets a
 * second for an attack and drops the whole connection, with all requests on it; the peer here is our own Envoy. */
export const resetAllowance = { streamResetBurst: 1_000_000, streamResetRate: 1_000_000 } as const;
