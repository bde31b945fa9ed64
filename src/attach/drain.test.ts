import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { drainEnvoy } from './drain.ts';

it('asks an Envoy again that is too busy to answer, and waits until no request is open', async () => {
  const asked: string[] = [];
  const open = [2, 1, 0];
  const admin = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${(request.url ?? '').split('?')[0]!}`);
    // The first call of each kind goes wrong, each in another way.
    if (asked.length === 1) return void response.destroy();
    if (asked.length === 3) return void response.writeHead(503).end();
    response.end(request.url!.startsWith('/stats') ? `http.llm_egress.downstream_rq_active: ${open.shift()!}\n` : 'OK\n');
  });
  await new Promise<void>((resolve) => admin.listen(0, '127.0.0.1', resolve));
  try {
    expect(await drainEnvoy(`127.0.0.1:${(admin.address() as AddressInfo).port}`, { leastMs: 0, mostMs: 60_000 })).toBe(0);
  } finally {
    admin.close();
  }
  expect(asked).toEqual(['POST /drain_listeners', 'POST /drain_listeners', 'GET /stats', 'GET /stats', 'GET /stats', 'GET /stats']);
});
