import { appendFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect } from 'vitest';

/** How many times longer than usual properties are tried; `npm run fuzz` raises it. */
const factor = Number(process.env['SLUICE_FUZZ_FACTOR'] ?? 1);
/** Where `npm run fuzz` wants to be told of what was tried: a line `FILE<tab>RUNS` a property. */
const report = process.env['SLUICE_FUZZ_REPORT'];

/** Parameters of a property that is usually tried so often. */
export function runs(usual: number): { readonly numRuns: number } {
  return { numRuns: usual * factor };
}

const count: fc.Plugin<unknown> = () => ({
  onAllRunsComplete: ({ numRuns }) => appendFileSync(report ?? '/dev/null', `${expect.getState().testPath ?? ''}\t${numRuns}\n`),
});

if (factor !== 1) fc.configureGlobal({ numRuns: 100 * factor, ...(report === undefined ? {} : { plugins: [count] }) });
