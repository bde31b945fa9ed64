import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';

// The page's modules are JavaScript without types: they are served as they stand.
const served = new URL('./page/server.js', import.meta.url).href;
const { ask } = (await import(served)) as { readonly ask: (path: string) => Promise<unknown> };

let server: Server | null = null;

afterEach(() => {
  vi.restoreAllMocks();
  server?.closeAllConnections();
  server?.close();
  server = null;
});

async function listen(answer: Parameters<typeof createServer>[1]): Promise<string> {
  server = createServer(answer as () => void);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe("the page's questions", () => {
  it('give up a server that takes the question and never answers', async () => {
    const late = new AbortController();
    const asked = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(late.signal);
    const url = await listen(() => setTimeout(() => late.abort(new DOMException('signal timed out', 'TimeoutError')), 20));
    await expect(ask(url)).rejects.toMatchObject({ name: 'TimeoutError' });
    // A query of PostgreSQL may take 60 s.
    expect(asked).toHaveBeenCalledWith(70_000);
  });

  it('reject with the code, the status and the words of a refusal', async () => {
    const url = await listen((_, response) =>
      response.writeHead(404).end('{"error":{"code":"no-ledger","message":"This server keeps no ledger."}}'),
    );
    await expect(ask(url)).rejects.toMatchObject({ code: 'no-ledger', status: 404, message: 'This server keeps no ledger.' });
  });
});
