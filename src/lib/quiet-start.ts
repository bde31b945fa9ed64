import { setFlagsFromString } from 'node:v8';

/** Set by what starts a built program (scripts/build/load.cjs). */
const quiet = Symbol.for('sluice.quiet-start');

/** Has V8 optimize from now on, if this process was started without that. */
export function endQuietStart(): void {
  const globals = globalThis as { [quiet]?: boolean };
  if (globals[quiet] !== true) return;
  globals[quiet] = false;
  setFlagsFromString('--opt');
}
