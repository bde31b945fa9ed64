import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    // Raises the runs of every property for `npm run fuzz`.
    setupFiles: process.env['SLUICE_FUZZ_FACTOR'] === undefined ? [] : ['test/support/fuzz.ts'],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
