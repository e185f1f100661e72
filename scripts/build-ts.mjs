// Builds dist/: the types by tsc, the code by esbuild in few files, because each file of its own costs
// a third of a millisecond at every start. Then the test fixtures.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { build, transformSync } from 'esbuild';

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
  const renamed = [...code.matchAll(/^var (\w+) = class (?!\1\b|extends\b)(\w+)/gm)];
  return renamed.reduce(
    (text, [, name, inner]) => text.replaceAll(new RegExp(`\\b${inner}\\b`, 'g'), name),
    code,
  );
}

/**
 * What `require` is called while the parts are ES modules: there it would become a helper, which
 * bundlers cannot follow.
 */
const plainRequire = 'plainRequire';

/**
 * One part of the library. What it takes of another is looked up once, not at each use, and by
 * `part`, not by `require`; see lib/parts.ts.
 */
function toCommonJS(code) {
  const linked = code.replaceAll(
    /^import \{([^}]*)\} from "\.\/(\w+)\.js";$/gm,
    (_, names, from) =>
      from === 'loader'
        ? `const {${names}} = require("./loader.js");`
        : `const {${names.replaceAll(' as ', ': ')}} = require("./loader.js").part("${from}");`,
  );
  if (/^import .*"\.\//m.test(linked))
    throw new Error('an import between parts was not understood');
  const { code: common } = transformSync(linked, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    define: { [plainRequire]: 'require' },
  });
  return withOwnNames(common);
}

rmSync('dist', { recursive: true, force: true });
compile('-p', 'tsconfig.json');

const common = {
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  bundle: true,
  packages: 'external',
};
/** The loader of the addon is a file of its own, which all of the others ask. */
const loader = {
  name: 'loader',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/addon$/ }, () => ({ path: './loader.js', external: true }));
  },
};
await build({ ...common, entryPoints: { loader: 'lib/loader.ts' }, outdir: 'dist', format: 'cjs' });
const { outputFiles, metafile } = await build({
  ...common,
  // The basics are all in what both have in common, for there are structures that hold any of them;
  // esbuild makes a chunk of it, of ES modules only.
  entryPoints: { structures: 'lib/structures.ts', 'basics-alone': 'lib/basics.ts' },
  chunkNames: 'basics',
  outdir: 'dist',
  format: 'esm',
  splitting: true,
  define: { require: plainRequire },
  plugins: [loader],
  write: false,
  metafile: true,
});
const parts = ['basics', 'structures'];
for (const { path: file, text } of outputFiles) {
  if (parts.includes(path.parse(file).name)) writeFileSync(file, toCommonJS(text));
}
await build({
  ...common,
  bundle: false,
  entryPoints: ['lib/index.mts'],
  outfile: 'dist/index.mjs',
  format: 'esm',
});

const exportsOf = (output) => metafile.outputs[`dist/${output}.js`].exports;
const names = { basics: exportsOf('basics-alone'), structures: exportsOf('structures') };
const missing = names.basics.filter((name) => !exportsOf('basics').includes(name));
if (missing.length > 0) throw new Error(`not in common: ${missing.join(', ')}`);
const loaders = parts.map((name) => `${name}: () => require('./${name}.js')`);
writeFileSync(
  'dist/index.js',
  `'use strict';
module.exports = require('./loader.js').library(
  ${JSON.stringify(names)},
  { ${loaders.join(', ')} },
);
// Never evaluated: by this, import knows the names.
0 && (module.exports = { ${Object.values(names).flat().join(', ')} });
`,
);

compile('-p', 'test/fixtures');
