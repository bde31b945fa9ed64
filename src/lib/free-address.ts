import { createServer } from 'node:net';
import { checkListen, hostAndPort } from './address.ts';
import { SluiceError } from './errors.ts';
import { messageOf } from './message-of.ts';

/**
 * Listens for a moment, so that a start which cannot listen ends before it has opened anything. A Unix socket's file is only looked at: the
 * process that it belongs to may be about to hand it over. `where`: the flag. Rejects with SLUICE_LISTEN.
 */
export async function checkFree(text: string, where: string): Promise<void> {
  checkListen(text, where);
  if (text.startsWith('unix:')) return;
  const { host, port } = hostAndPort(text, where);
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    const [reason, fix] = reasons[code] ?? [`cannot be listened on: ${messageOf(error)}`, undefined];
    throw new SluiceError('SLUICE_LISTEN', `${text} ${reason}.`, { where, ...(fix === undefined ? {} : { fix }), cause: error });
  } finally {
    server.close();
  }
}

const unresolved = ['has a host name that cannot be resolved', 'Write an address of this machine, or 0.0.0.0 for all.'] as const;

const reasons: Readonly<Record<string, readonly [reason: string, fix: string]>> = {
  EADDRINUSE: ['is taken: another process listens there', 'End that process, or choose another address.'],
  EADDRNOTAVAIL: ['is no address of this machine', 'Write an address of this machine, or 0.0.0.0 for all.'],
  EACCES: ['may not be listened on by this user', 'Choose a port above 1023.'],
  ENOTFOUND: unresolved,
  EAI_AGAIN: unresolved,
};
