// Builds dist/: the types by tsc, the code by esbuild in one file, because each file of its own costs
// a third of a millisecond at every start. Then the test fixtures.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

function compile(...args) {
  const { status } = spawnSync(process.execPath, [tsc, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * A class that speaks of itself is bundled as `var Name = class _Name`, which people would meet in
 * `constructor.name` and in stack traces. Inside, either name means the same.
 */
function withOwnNames(code) {
  const renamed = [...code.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => name);
  return renamed.reduce(
    (text, name) => text.replaceAll(new RegExp(`\\b_${name}\\b`, 'g'), name),
    code,
  );
}

rmSync('dist', { recursive: true, force: true });
compile('-p', 'tsconfig.json');

const common = { platform: 'node', target: 'node20', logLevel: 'warning' };
const library = { ...common, entryPoints: ['lib/index.ts'], bundle: true, packages: 'external' };
await build({ ...library, outfile: 'dist/library.js', format: 'cjs' });
writeFileSync('dist/library.js', withOwnNames(readFileSync('dist/library.js', 'utf8')));
await build({ ...library, entryPoints: ['lib/addon.ts'], outfile: 'dist/addon.js', format: 'cjs' });
await build({
  ...common,
  entryPoints: ['lib/index.mts'],
  outfile: 'dist/index.mjs',
  format: 'esm',
});

// esbuild tells what names a module exports of an ES module only.
const { metafile } = await build({ ...library, format: 'esm', write: false, metafile: true });
const names = Object.values(metafile.outputs).flatMap((output) => output.exports);
writeFileSync(
  'dist/index.js',
  `'use strict';
// Module caches can be cleared and doubled (Jest does both); a thread and the locks it holds cannot.
// So the library is evaluated once in a thread, and kept with the addon, which is loaded once.
const addon = require('./addon.js').loadAddon();
module.exports = addon.library ??= require('./library.js');
// Never evaluated: by this, import knows the names.
0 && (module.exports = { ${names.join(', ')} });
`,
);

compile('-p', 'test/fixtures');
