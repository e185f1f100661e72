// Builds dist/: the types by tsc, the code by esbuild in one file, because each file of its own costs
// a third of a millisecond at every start. Then the test fixtures.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

function compile(...args) {
  const { status } = spawnSync(process.execPath, [tsc, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

rmSync('dist', { recursive: true, force: true });
compile('-p', 'tsconfig.json');
const common = { platform: 'node', target: 'node20', logLevel: 'warning' };
await build({
  ...common,
  entryPoints: ['lib/index.ts'],
  outfile: 'dist/index.js',
  bundle: true,
  packages: 'external',
  format: 'cjs',
});
await build({
  ...common,
  entryPoints: ['lib/index.mts'],
  outfile: 'dist/index.mjs',
  format: 'esm',
});
compile('-p', 'test/fixtures');
