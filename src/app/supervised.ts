import { Socket } from 'node:net';

/** Environment of a process that another one of Sluice's starts again when it ends: set by `src/cli/supervise.ts`. */
export const supervisedVariable = 'SLUICE_SUPERVISED';
/** How often it was started again, of that one or of the parent of workers. */
export const restartsVariable = 'SLUICE_RESTARTS';

/** What such a process says: once that it is ready, and then that it is alive whenever it is asked. */
export type SupervisedMessage = Ready | 'alive';

interface Ready {
  /** The Unix socket at which connections may wait for the next process; null where they cannot. */
  readonly socket: string | null;
}

/** What the supervisor's process serves. */
export interface Supervised extends Ready {
  /** Serves a connection that has waited in the supervisor. */
  readonly adopt: (connection: Socket) => void;
  /** The supervisor is gone: nobody would pass on the order to stop. */
  readonly lost: () => void;
}

/** Whether the supervisor may listen at this process's Unix socket until it takes its place. */
export function isStartedAgain(): boolean {
  return process.env[supervisedVariable] !== undefined && restartsSoFar() > 0;
}

/** Tells the supervisor, if there is one, that this process is ready, and answers it from then on. */
export function tellSupervisor({ socket, adopt, lost }: Supervised): void {
  if (process.env[supervisedVariable] === undefined || process.send === undefined) return;
  // Processes that this one starts have this one above them.
  Reflect.deleteProperty(process.env, supervisedVariable);
  const tell = (message: SupervisedMessage): void => {
    if (process.connected) process.send?.(message, () => undefined);
  };
  process.on('message', (_message, connection) => {
    if (connection instanceof Socket) adopt(connection);
    else tell('alive');
  });
  process.on('disconnect', lost);
  process.channel?.unref();
  tell({ socket });
}

/** How often this process was started again since its container, or the parent of workers, began. */
export function restartsSoFar(): number {
  const count = Number(process.env[restartsVariable] ?? 0);
  return Number.isInteger(count) && count >= 0 ? count : 0;
}
