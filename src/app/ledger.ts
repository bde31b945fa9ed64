import { Ledger } from '../ledger/ledger.ts';
import { shownPlace } from '../ledger/backends.ts';
import type { Ground } from './ground.ts';
import { readText } from '../lib/read-file.ts';

const dayMs = 86_400_000;

/** Minimum days for which hourly and daily sums are kept, even after their records are deleted. */
const rollupDays = 400;

/** Null if no ledger is kept. */
export async function openLedger({ options: { ledger: settings }, version, logger, stack }: Ground): Promise<Ledger | null> {
  const { file } = settings;
  if (file === null) return null;
  try {
    const ledger = await Ledger.open({
      file,
      passwordFile: settings.passwordFile,
      version,
      retention: { rowsMs: settings.retentionDays * dayMs, rollupsMs: Math.max(settings.retentionDays, rollupDays) * dayMs },
      signingKey: settings.keyFile === null ? null : readText(settings.keyFile),
      onCheckpoint: (checkpoint) => logger.info({ checkpoint }, 'ledger checkpoint'),
      onError: (message) => logger.error({ err: message, file: shownPlace(file) }, 'the ledger could not be written; it is tried again'),
      onBack: () => logger.info({ file: shownPlace(file) }, 'the ledger is there; what waited is being written'),
      onRemade: () =>
        logger.error(
          { file: shownPlace(file) },
          'the ledger file was removed or replaced; a new one was made, which holds nothing of the old one',
        ),
      onPruned: (rows) => logger.info({ rows, retentionDays: settings.retentionDays }, 'old records left the ledger'),
    });
    stack.defer(() => ledger.close());
    return ledger;
  } catch (error) {
    if (settings.required) throw error;
    logger.warn({ err: error, file: shownPlace(file) }, 'no ledger is kept: its default place cannot be written');
    return null;
  }
}
