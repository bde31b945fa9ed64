import type { Ledger } from '../ledger/ledger.ts';
import { limits } from '../lib/limits.ts';
import { learnLength } from '../router/output/answer-length.ts';
import type { OutputTokens } from '../router/output/tokens.ts';

const dayMs = 86_400_000;

/** What a restarted server reads again. */
const recalledDays = 14;

/**
 * Learns the lengths of answers again from the ledger, so that a restart does not forget them. Runs beside the first requests, on the
 * ledger's own thread; a ledger that cannot be read is logged, and lengths are learnt from new answers alone. Never rejects.
 */
export async function recallLengths(
  ledger: Pick<Ledger, 'lengths'> | null,
  outputs: OutputTokens,
  logger: { warn(facts: object, message: string): void; info(facts: object, message: string): void },
): Promise<void> {
  if (ledger === null) return;
  try {
    const lengths = await ledger.lengths(Date.now() - recalledDays * dayMs, limits.recalledLengths);
    for (const length of lengths) learnLength(outputs, length);
    if (lengths.length > 0) logger.info({ answers: lengths.length }, "lengths of answers were learnt from the ledger's records");
  } catch (error) {
    logger.warn({ err: error }, "lengths of earlier answers are not known: the ledger's records could not be read");
  }
}
