import { defineConfig } from 'vitest/config';

/** `npm run test:clients`: too slow for `npm test`, and its libraries are large. */
export default defineConfig({
  test: {
    include: ['test/clients/*.check.ts'],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    env: { SLUICE_STACK_MESSAGE_TIMEOUT: '5s', SLUICE_MAX_DELAY: '0' },
  },
});
