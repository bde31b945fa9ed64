import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// How often every property is tried: more in `npm run drill -- fuzz`, less in `npm run test:unit`.
const setupFiles = process.env['SLUICE_FUZZ_FACTOR'] === undefined ? [] : ['test/support/fuzz.ts'];

/** Finds the containers in which servers of tests run. */
const globalSetup = 'test/support/global-setup.ts';

/** Tests beside the code that need an Envoy, a database or whole processes, or that are long drills. */
const system = 'src/**/*.system.test.ts';

// Tests start hundreds of servers and commands from sources: Node keeps what it compiled, which is most of such a start.
const env = { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url)) };

// How long a test waits for a fact, and how long it may take: vitest allows too little on a busy machine, and only failures take all of it.
const patience = { expect: { poll: { timeout: 20_000 } }, testTimeout: 300_000, hookTimeout: 300_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          globalSetup,
          include: ['src/**/*.test.ts'],
          exclude: [system],
          setupFiles: ['test/support/clock.ts', ...setupFiles],
          env,
          pool: 'forks',
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 0 },
          // Most of a file's time is the loading of modules: files of one worker share them.
          isolate: false,
          ...patience,
        },
      },
      {
        test: {
          name: 'system',
          globalSetup,
          sequence: { groupOrder: 1 },
          include: [system, 'test/**/*.test.ts', 'bench/**/*.test.ts'],
          setupFiles,
          pool: 'forks',
          // These tests wait more than they compute, for Envoys, servers and clocks: with one worker less than cores, vitest's own choice, a core stands idle most of the time.
          maxWorkers: availableParallelism() + 1,
          // Tests run side by side on machines that are busy: what is late is not undecided there.
          env: { ...env, SLUICE_STACK_MESSAGE_TIMEOUT: '5s', SLUICE_MAX_DELAY: '0' },
          ...patience,
        },
      },
    ],
  },
});
