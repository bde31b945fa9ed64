/** Environment of a process that another one of Sluice's starts again when it ends: set by `src/cli/supervise.ts`. */
export const supervisedVariable = 'SLUICE_SUPERVISED';
/** How often it was started again, of that one or of the parent of workers. */
export const restartsVariable = 'SLUICE_RESTARTS';

/** What such a process says: once that it is ready, and then that it is alive whenever it is asked. */
export type SupervisedMessage = 'ready' | 'alive';

/**
 * Tells the supervisor, if there is one, that this process is ready, and answers it from then on. `lost` is called when the supervisor is
 * gone: nobody would pass on the order to stop.
 */
export function tellSupervisor(lost: () => void): void {
  if (process.env[supervisedVariable] === undefined || process.send === undefined) return;
  // Processes that this one starts have this one above them.
  Reflect.deleteProperty(process.env, supervisedVariable);
  const tell = (message: SupervisedMessage): void => {
    if (process.connected) process.send?.(message, () => undefined);
  };
  process.on('message', () => tell('alive'));
  process.on('disconnect', lost);
  process.channel?.unref();
  tell('ready');
}

/** How often this process was started again since its container, or the parent of workers, began. */
export function restartsSoFar(): number {
  const count = Number(process.env[restartsVariable] ?? 0);
  return Number.isInteger(count) && count >= 0 ? count : 0;
}
