import { fileURLToPath } from 'node:url';

/** The command line that tests start: what `npm test` built of the sources ($SLUICE_STACK_ENTRY), which starts in half the CPU, else the sources. */
export const entry: string = process.env['SLUICE_STACK_ENTRY'] ?? fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));
