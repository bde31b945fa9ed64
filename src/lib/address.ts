import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SluiceError } from './errors.ts';

/** Longest path of a Unix socket address on Linux, in bytes, without the terminator. */
const socketPathBytes = 107;

/** Parses `host:port` or `[v6]:port`; port 0 selects a free port. `where`: the flag. Throws SLUICE_LISTEN. */
export function hostAndPort(text: string, where: string): { readonly host: string; readonly port: number } {
  const found = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (found === null)
    throw new SluiceError('SLUICE_LISTEN', `"${text}" is not host:port.`, {
      where,
      fix: 'Write for example 127.0.0.1:9901, or [::1]:9901.',
    });
  if (port > 65_535)
    throw new SluiceError('SLUICE_LISTEN', `"${text}": a port is a number up to 65535.`, {
      where,
      fix: 'Choose a port from 1 to 65535, or 0 for a free one.',
    });
  return { host: found[1] ?? found[2]!, port };
}

/** Validates a listen address, `unix:/path` or host:port, as far as possible without using it. Throws SLUICE_LISTEN. */
export function checkListen(text: string, where: string): void {
  if (!text.startsWith('unix:')) {
    hostAndPort(text, where);
    return;
  }
  const path = text.slice('unix:'.length);
  const bytes = Buffer.byteLength(path);
  if (path === '')
    throw new SluiceError('SLUICE_LISTEN', 'the path of the socket is empty.', { where, fix: 'Write unix:/run/sluice/sluice.sock.' });
  if (bytes > socketPathBytes)
    throw new SluiceError('SLUICE_LISTEN', `the path of a socket has at most ${socketPathBytes} bytes, this one has ${bytes}.`, {
      where,
      fix: 'Choose a shorter path.',
    });
  const folder = dirname(path);
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new SluiceError('SLUICE_LISTEN', `there is no folder ${folder}.`, { where, fix: 'Make the folder, or choose another path.' });
  if (existsSync(path) && !statSync(path).isSocket())
    throw new SluiceError('SLUICE_LISTEN', `${path} is there, and it is no socket.`, {
      where,
      fix: 'Choose another path, or remove what is there.',
    });
}
