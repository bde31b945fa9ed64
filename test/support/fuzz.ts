import { appendFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect } from 'vitest';

/** How many times longer than usual properties are tried: `npm run drill -- fuzz` raises it, `npm run test:unit` lowers it. */
const factor = Number(process.env['SLUICE_FUZZ_FACTOR'] ?? 1);
/** Where `npm run drill -- fuzz` wants to hear what was tried: a line `FILE<tab>RUNS` a property. */
const report = process.env['SLUICE_FUZZ_REPORT'];

const timesFactor = (usual: number): number => Math.max(1, Math.round(usual * factor));

/** Parameters of a property that is usually tried so often. */
export function runs(usual: number): { readonly numRuns: number } {
  return { numRuns: timesFactor(usual) };
}

const count: fc.Plugin<unknown> = () => ({
  onAllRunsComplete: ({ numRuns }) => appendFileSync(report ?? '/dev/null', `${expect.getState().testPath ?? ''}\t${numRuns}\n`),
});

if (factor !== 1) fc.configureGlobal({ numRuns: timesFactor(100), ...(report === undefined ? {} : { plugins: [count] }) });
