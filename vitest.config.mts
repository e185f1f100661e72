import path from 'node:path';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;

export default defineConfig({
  resolve: {
    alias: [
      // Tests use the package as its users do: built, through its public entry.
      { find: 'shmkit', replacement: path.join(root, 'dist', 'index.js') },
      // Modules that tests import from inside the package must share the state of the thread. Two copies
      // would reject each other.
      { find: /^.*\/loading\/home$/, replacement: path.join(root, 'dist', 'loader.js') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/title.ts', 'test/support/leaks.ts'],
    pool: 'forks',
    reporters: ['default', './test/support/watchdog.ts'],
    // Each test checks that it leaves nothing in /dev/shm, and other tests would disturb that check.
    fileParallelism: false,
    // A limit for hangs, not a measure of speed: no test is expected to come near it.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    execArgv: ['--expose-gc'],
    typecheck: {
      enabled: true,
      include: ['test/**/*.test-d.ts'],
      tsconfig: 'tsconfig.check.json',
    },
  },
});
