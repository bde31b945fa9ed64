import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkListen, hostAndPort } from './address.ts';

it('reads host:port', () => {
  expect(hostAndPort('127.0.0.1:0', '--admin')).toEqual({ host: '127.0.0.1', port: 0 });
  expect(hostAndPort('[::1]:9901', '--admin')).toEqual({ host: '::1', port: 9901 });
  expect(hostAndPort('localhost:65535', '--admin')).toEqual({ host: 'localhost', port: 65_535 });
});

it('says what is wrong with an address before anything is started', () => {
  const code = expect.objectContaining({ code: 'SLUICE_LISTEN', where: '--listen' }) as Error;
  for (const wrong of [
    'abc',
    '127.0.0.1',
    '127.0.0.1:99999',
    '::1:80',
    ':80',
    '127.0.0.1:',
    'unix:',
    `unix:/${'x'.repeat(120)}`,
    'unix:/no/such/folder/s.sock',
    `unix:${tmpdir()}`,
    `unix:${import.meta.filename}`,
  ])
    expect(() => checkListen(wrong, '--listen')).toThrow(code);
  for (const right of ['127.0.0.1:0', '[::]:80', `unix:${join(tmpdir(), 's.sock')}`])
    expect(() => checkListen(right, '--listen')).not.toThrow();
});
