import type { SluiceOptions } from '../options.ts';

/**
 * The options of one of several workers. What one process must do alone is the first one's: writing Envoy's config, the admission webhooks,
 * importing prices, the status of ConfigMaps. Files that a process writes are each worker's own (`budgets.json.1`), but for the ledger,
 * which takes several writers. The admin server is on a free port for the parent alone. `secret`: the same for all workers.
 */
export function optionsOfWorker(options: SluiceOptions, worker: number, secret: string): SluiceOptions {
  const own = (file: string | null): string | null => (file === null || worker === 0 ? file : `${file}.${worker}`);
  const first = worker === 0;
  return {
    ...options,
    worker,
    admin: '127.0.0.1:0',
    metrics: null,
    maskKey: options.maskKey ?? secret,
    learningState: own(options.learningState),
    state: own(options.state),
    budgets: { ...options.budgets, file: own(options.budgets.file) },
    envoy: first ? options.envoy : null,
    webhook: first ? options.webhook : null,
    certificates: first ? options.certificates : null,
    catalogSource: first ? options.catalogSource : null,
    policyConfigMaps: options.policyConfigMaps === null || first ? options.policyConfigMaps : { ...options.policyConfigMaps, status: null },
  };
}
