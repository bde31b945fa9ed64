/** Environment of a worker: its number, and a secret that all of them share. */
export const workerVariable = 'SLUICE_WORKER_NUMBER';
export const secretVariable = 'SLUICE_WORKER_SECRET';

/** A worker's message to its parent: when it is ready, and when the number of its connections has changed. */
export type WorkerMessage = { readonly adminUrl: string } | { readonly connections: number };

/** The parent's message to a worker that has more connections than another one. */
export const renewMessage = 'renew';

/** How often a worker reports its connections, and the parent evens them out, in ms. */
export const balanceMs = 500;
