import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf, SluiceError } from '../errors.ts';

/** Time between two looks at what is open, in ms. */
const lookMs = 250;

/** Longest wait for one answer of Envoy's admin, in ms. */
const callMs = 2_000;

/**
 * Tells Envoy to end its connections after their current request and waits until no request is open, for `leastMs` to
 * `mostMs`. Resolves with the requests that are open then. Rejects with SLUICE_ENVOY_ADMIN when Envoy does not answer.
 */
export async function drainEnvoy(admin: string, { leastMs, mostMs }: { readonly leastMs: number; readonly mostMs: number }): Promise<number> {
  const call = async (path: string, method: 'GET' | 'POST'): Promise<string> => {
    try {
      const response = await fetch(`http://${admin}${path}`, { method, signal: AbortSignal.timeout(callMs) });
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return await response.text();
    } catch (error) {
      throw new SluiceError('SLUICE_ENVOY_ADMIN', `${reasonOf(error)}.`, { where: admin, cause: error });
    }
  };
  const start = performance.now();
  await call('/drain_listeners?graceful&skip_exit', 'POST');
  for (;;) {
    const stats = await call('/stats?filter=^http\\.llm_egress\\.downstream_rq_active$', 'GET');
    const open = Number(/: (\d+)/.exec(stats)?.[1] ?? 0);
    const waited = performance.now() - start;
    if ((open === 0 && waited >= leastMs) || waited >= mostMs) return open;
    await sleep(lookMs);
  }
}
