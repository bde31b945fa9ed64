/** Environment of a worker: its number, and a secret that all of them share. */
export const workerVariable = 'SLUICE_WORKER_NUMBER';
export const secretVariable = 'SLUICE_WORKER_SECRET';

/** What a worker tells its parent once it is ready, and then when the number of its connections has changed. */
export type WorkerMessage = { readonly adminUrl: string } | { readonly connections: number };

/** What the parent tells a worker that has more connections than another one. */
export const renewMessage = 'renew';

/** How often a worker tells of its connections, and the parent evens them out, in ms. */
export const balanceMs = 500;
