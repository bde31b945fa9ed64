import type { ExchangeRecord } from '../../src/record/types.ts';

/** How long a record may take to come after its answer was read, in ms: seconds on a busy machine. */
const waitMs = 8_000;

/** The record of a decision, once it is there and `until` holds of it. Throws when that takes more than eight seconds. */
export async function recordOf<Found extends ExchangeRecord = ExchangeRecord>(
  adminUrl: string,
  id: string | null,
  until: (record: Found) => boolean = () => true,
): Promise<Found> {
  const deadline = Date.now() + waitMs;
  let seen = 'none';
  while (Date.now() < deadline) {
    const response = await fetch(`${adminUrl}/decisions/${id ?? ''}`);
    if (response.ok) {
      const record = (await response.json()) as Found;
      if (until(record)) return record;
      seen = JSON.stringify(record);
    } else await response.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`no such record of ${String(id)}; the last one seen: ${seen}`);
}
