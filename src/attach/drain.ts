import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf, SluiceError } from '../lib/errors.ts';

/** Interval between checks for open requests, and between retries, in ms. */
const lookMs = 250;

/** Time-out of a call to Envoy's admin, in ms. */
const callMs = 2_000;

/**
 * Tells Envoy to close its connections after their current request and waits until no request is open, for `leastMs` to `mostMs`. Calls to
 * an Envoy that is too busy to answer are retried within that time, because an Envoy that did not get the call cuts connections when it exits.
 * Resolves with the number of requests still open. Rejects with SLUICE_ENVOY_ADMIN if Envoy could not be reached.
 */
export async function drainEnvoy(
  admin: string,
  { leastMs, mostMs }: { readonly leastMs: number; readonly mostMs: number },
): Promise<number> {
  const start = performance.now();
  const ask = async (method: 'GET' | 'POST', path: string): Promise<string> => {
    for (;;) {
      try {
        return await call(method, admin, path);
      } catch (error) {
        const gone = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
        if (gone || performance.now() - start >= mostMs)
          throw new SluiceError('SLUICE_ENVOY_ADMIN', `${reasonOf(error)}.`, { where: admin, cause: error });
        await sleep(lookMs);
      }
    }
  };
  await ask('POST', '/drain_listeners?graceful&skip_exit');
  for (;;) {
    const stats = await ask('GET', '/stats?filter=^http\\.llm_egress\\.downstream_rq_active$');
    const open = Number(/: (\d+)/.exec(stats)?.[1] ?? 0);
    const waited = performance.now() - start;
    if ((open === 0 && waited >= leastMs) || waited >= mostMs) return open;
    await sleep(lookMs);
  }
}

/** Not fetch, which takes as long to load as everything else here, on nodes where it matters. */
function call(method: string, admin: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`http://${admin}${path}`, { method, signal: AbortSignal.timeout(callMs) }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${path}: ${response.statusCode ?? 0}`));
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
