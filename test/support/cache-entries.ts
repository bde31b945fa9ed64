import { expect } from 'vitest';

/** Waits until the cache holds the answer of a response, and no longer for a fresh one. */
export async function untilOld(adminUrl: string, { headers }: Response): Promise<void> {
  const url = `${adminUrl}/cache/entries/${headers.get('x-sluice-cache-entry') ?? 'none'}`;
  const fresh = async (): Promise<boolean | null> => {
    const answer = await fetch(url);
    const { fresh: is } = (await answer.json()) as { fresh?: boolean };
    return answer.ok ? is! : null;
  };
  await expect.poll(fresh).toBe(false);
}
