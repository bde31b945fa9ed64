import fc from 'fast-check';

/** How many times longer than usual properties are tried; `npm run fuzz` raises it. */
const factor = Number(process.env['SLUICE_FUZZ_FACTOR'] ?? 1);

/** Parameters of a property that is usually tried so often. */
export function runs(usual: number): { readonly numRuns: number } {
  return { numRuns: usual * factor };
}

if (factor !== 1) fc.configureGlobal({ numRuns: 100 * factor });
