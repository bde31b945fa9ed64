import type { Breaker } from './breaker.ts';

/** Returned instead of a reply that failed or was late. */
export const failed: unique symbol = Symbol('failed');

/** The reply; `failed`, also reported to the breaker, if it rejects or takes longer than `ms`. Never rejects. */
export async function inTime<T>(
  reply: Promise<T>,
  ms: number,
  breaker: Breaker,
  onProblem: (problem: 'timeout' | 'error') => void,
): Promise<T | typeof failed> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof failed>((resolve) => {
    timer = setTimeout(() => resolve(failed), ms);
  });
  try {
    const first = await Promise.race([reply, late]);
    if (first === failed) {
      // Ignore its late failure.
      reply.catch(() => undefined);
      breaker.failure();
      onProblem('timeout');
    } else {
      breaker.success();
    }
    return first;
  } catch {
    breaker.failure();
    onProblem('error');
    return failed;
  } finally {
    clearTimeout(timer);
  }
}
