import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    // Raises the runs of every property for `npm run fuzz`.
    setupFiles: process.env['SLUICE_FUZZ_FACTOR'] === undefined ? [] : ['test/support/fuzz.ts'],
    pool: 'forks',
    // Tests run side by side on machines that are busy: what is late is not undecided there.
    env: { SLUICE_STACK_MESSAGE_TIMEOUT: '5s', SLUICE_MAX_DELAY: '0' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
