import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { errorsPage } from './errors-page.ts';
import { reasonOf, SluiceError, unreadable } from './errors.ts';

describe('errors', () => {
  it('say what, where and what to do in one line', () => {
    const error = new SluiceError('SLUICE_LISTEN', 'the port is taken.', { where: '127.0.0.1:1' });
    expect(error.render()).toMatch(/^SLUICE_LISTEN 127\.0\.0\.1:1: the port is taken\. .+/);
  });

  it('end their sentence before what to do, and say nothing twice', () => {
    expect(new SluiceError('SLUICE_ADMIN', 'no route').advice).toMatch(/^no route\. The admin server /);
    expect(new SluiceError('SLUICE_ADMIN', 'no (route).', { fix: '' }).advice).toBe('no (route).');
  });

  it('say why something could not be reached', async () => {
    const reason = (url: string): Promise<string> => fetch(url, { signal: AbortSignal.timeout(5_000) }).then(() => 'it was', reasonOf);
    expect(await reason('http://127.0.0.1:1')).toBe('bad port');
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await reason(`http://127.0.0.1:${port}`)).toBe('the connection was cut');
    server.close();
    await once(server, 'close');
    expect(await reason(`http://127.0.0.1:${port}`)).toBe('nothing listens there (connection refused)');
    expect(reasonOf(new Error('503 no endpoints', { cause: new Error('HTTP-Code: 503 …') }))).toBe('503 no endpoints');
  });

  it('say in words why a file cannot be read', () => {
    const why = (file: string): string => {
      try {
        return readFileSync(file, 'utf8');
      } catch (error) {
        return unreadable(file, error).render();
      }
    };
    expect(why('/none.yaml')).toMatch(/^SLUICE_FILE_UNREADABLE \/none\.yaml: there is no such file\. A file cannot be read\./);
    expect(why('/')).toContain('it is a folder.');
    expect(why('/dev/null/x')).toContain('a part of its path is no folder.');
    expect(unreadable('x', 'odd').render()).toContain('x: odd.');
  });

  it('stand in docs/errors.md, all of them', () => {
    expect(readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')).toBe(errorsPage());
  });
});
