import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { checkFree } from './free-address.ts';

it('leaves an address that can be listened on free', async () => {
  await checkFree('127.0.0.1:0', '--listen');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(checkFree(`127.0.0.1:${port}`, '--listen')).rejects.toMatchObject({
    code: 'SLUICE_LISTEN',
    where: '--listen',
    message: `127.0.0.1:${port} is taken: another process listens there.`,
  });
  await new Promise((resolve) => server.close(resolve));
  await checkFree(`127.0.0.1:${port}`, '--listen');
  await checkFree(`127.0.0.1:${port}`, '--listen');
});

it.each([
  ['192.0.2.1:0', 'is no address of this machine'],
  ['no..name:1', 'has a host name that cannot be resolved'],
])('says what is wrong with %s', async (address, reason) => {
  await expect(checkFree(address, '--admin')).rejects.toMatchObject({ code: 'SLUICE_LISTEN', message: `${address} ${reason}.` });
});
