// Builds dist/: the types with tsc, the code with esbuild. The code goes into few files, because each
// separate file costs a third of a millisecond at every start. Then builds the test fixtures.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { build, transformSync } from 'esbuild';

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

function compile(...args) {
  const { status } = spawnSync(process.execPath, [tsc, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * A bundled class is `var Name = class _Name` when it refers to itself, or `var Name = class` otherwise.
 * Users would see the name `_Name` in `constructor.name` and in stack traces, and their own bundlers would
 * rename the class in both cases. With a class declaration it keeps its name.
 */
function withDeclaredClasses(code) {
  const heads = /^var (\w+) = class(?: (?!extends\b)(\w+))?(?= extends\b| \{)/gm;
  const inner = [...code.matchAll(heads)].filter(([, name, within]) => within && within !== name);
  return inner.reduce(
    (text, [, name, within]) => text.replaceAll(new RegExp(`\\b${within}\\b`, 'g'), name),
    code.replaceAll(heads, 'class $1'),
  );
}

/**
 * The name that `require` has while the parts are ES modules. Under its own name, esbuild would replace it
 * by a helper, which bundlers cannot follow.
 */
const plainRequire = 'plainRequire';

/**
 * Makes one part of the library. What it imports from another part is looked up once, not at each use, and
 * with `part`, not with `require`; see lib/loading/parts.ts.
 */
function toCommonJS(code, partIn) {
  const linked = code.replaceAll(
    /^import \{([^}]*)\} from "\.\/([\w-]+\.js)";$/gm,
    (_, names, file) =>
      `const {${names.replaceAll(' as ', ': ')}} = require("./loader.js")` +
      (file === 'loader.js' ? ';' : `.part("${partIn[file]}");`),
  );
  if (/^import .*"\.\//m.test(linked))
    throw new Error('an import between parts was not understood');
  // esbuild would define a getter for each name. These are many, and calling each of them once takes time.
  const exported = linked.replace(
    /^export \{([^}]*)\};$/m,
    (_, names) => `module.exports = {${names.replaceAll(/(\S+) as (\S+?)(?=,|\s)/g, '$2: $1')}};`,
  );
  if (/^export /m.test(exported)) throw new Error('an export was not understood');
  const { code: common } = transformSync(exported, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    define: { [plainRequire]: 'require' },
    logOverride: { 'commonjs-variable-in-esm': 'silent' },
  });
  return withDeclaredClasses(common);
}

const { version: packageVersion } = JSON.parse(readFileSync('package.json', 'utf8'));

rmSync('dist', { recursive: true, force: true });
compile('-p', 'tsconfig.json');

/**
 * Typed arrays are generic since TypeScript 5.7. Their types are written as the return type of their
 * constructors' of(), which older versions understand, too. Node's own types need not be installed.
 */
function withTypesForAll(declarations) {
  return declarations
    .replaceAll(/\b(\w+Array)<ArrayBuffer>/g, "ReturnType<$1Constructor['of']>")
    .replaceAll(/: Buffer(?:<ArrayBuffer>)?;/g, ': Uint8Array;');
}
for (const file of readdirSync('dist', { recursive: true, encoding: 'utf8' })) {
  if (!/\.d\.m?ts$/.test(file)) continue;
  const there = path.join('dist', file);
  writeFileSync(there, withTypesForAll(readFileSync(there, 'utf8')));
}

const common = {
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  bundle: true,
  packages: 'external',
};
/** The module that loads the addon is a separate file, which all of the others use. */
const loader = {
  name: 'loader',
  setup({ onResolve }) {
    onResolve({ filter: /\/loading\/(home|parts)$|^\.\/home$/ }, () => ({
      path: './loader.js',
      external: true,
    }));
  },
};
/**
 * The parts of the library, each of which is evaluated when something of it is first used; see lib/loading/parts.ts.
 * What several of them use is in the first of these.
 */
const parts = ['core', 'sync', 'values', 'dict', 'lists', 'objects'];
/**
 * esbuild makes a chunk of the files that the same entry points need. Each entry point here needs all parts up to its
 * own, and there are two that need all parts. So there is one chunk for each part, with what no part before it needs.
 */
const upTo = (count) =>
  parts
    .slice(0, count)
    .map((part) => `export * from './lib/shm/parts/${part}';`)
    .join('\n');
const nested = {
  name: 'nested',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^nested:/ }, ({ path: entry }) => ({ path: entry, namespace: 'nested' }));
    onLoad({ filter: /.*/, namespace: 'nested' }, ({ path: entry }) => ({
      contents: upTo(Number(entry.slice('nested:'.length))),
      resolveDir: '.',
    }));
  },
};
const { outputFiles, metafile } = await build({
  ...common,
  entryPoints: Object.fromEntries(
    [...parts, 'all'].map((part, i) => [`up-to-${part}`, `nested:${i + 1}`]),
  ),
  outdir: 'dist',
  format: 'esm',
  splitting: true,
  define: { require: plainRequire },
  plugins: [loader, nested],
  write: false,
  metafile: true,
});
const outputs = Object.entries(metafile.outputs);
const chunkOf = (part) =>
  outputs.find(([, { inputs }]) => `lib/shm/parts/${part}.ts` in inputs)?.[0];
const partIn = Object.fromEntries(parts.map((part) => [path.basename(chunkOf(part)), part]));
const textOfParts = Object.fromEntries(
  outputFiles.flatMap(({ path: file, text }) => {
    const part = partIn[path.basename(file)];
    return part === undefined ? [] : [[part, toCommonJS(text, partIn)]];
  }),
);
/** Tells whether two files were built together. See checkBuild() in lib/loading/parts.ts. */
const buildId = createHash('sha256')
  .update(JSON.stringify([packageVersion, textOfParts]))
  .digest('hex')
  .slice(0, 16);
for (const [part, text] of Object.entries(textOfParts)) {
  writeFileSync(
    `dist/${part}.js`,
    text.replace(/^("use strict";\n)?/, `$1require("./loader.js").checkBuild("${buildId}");\n`),
  );
}
const { outputFiles: loaders } = await build({
  ...common,
  entryPoints: { loader: 'lib/loading/loader.ts' },
  outdir: 'dist',
  format: 'cjs',
  // Bundlers that look for addons read this file, and some of them do not understand a newer language
  // version.
  target: 'es2019',
  define: { packageVersion: JSON.stringify(packageVersion), build: JSON.stringify(buildId) },
  write: false,
});
for (const { path: file, text } of loaders) writeFileSync(file, withDeclaredClasses(text));
// The engine over a server is separate: it needs no addon, and who does not use it does not load it. The thread that
// renews leases has a file of its own.
const redis = await build({
  ...common,
  entryPoints: {
    index: 'lib/redis/index.ts',
    'renewer-thread': 'lib/redis/lease/renewer-thread.ts',
  },
  outdir: 'dist/redis',
  format: 'cjs',
  write: false,
});
for (const { path: file, text } of redis.outputFiles)
  writeFileSync(file, withDeclaredClasses(text));
await build({
  ...common,
  bundle: false,
  entryPoints: ['lib/index.mts'],
  outfile: 'dist/index.mjs',
  format: 'esm',
});

const exportsUpTo = (part) =>
  part === undefined ? [] : metafile.outputs[`dist/up-to-${part}.js`].exports;
const names = Object.fromEntries(
  parts.map((part, i) => {
    const before = new Set(exportsUpTo(parts[i - 1]));
    return [part, exportsUpTo(part).filter((name) => !before.has(name))];
  }),
);
for (const part of parts) {
  const missing = names[part].filter(
    (name) => !metafile.outputs[chunkOf(part)].exports.includes(name),
  );
  if (missing.length > 0) throw new Error(`not in the part ${part}: ${missing.join(', ')}`);
}
const evaluations = parts.map((part) => `${part}: () => require('./${part}.js')`);
writeFileSync(
  'dist/index.js',
  `'use strict';
module.exports = require('./loader.js').library(
  ${JSON.stringify(names)},
  {
    load: { ${evaluations.join(', ')} },
    cache: () => require.cache,
  },
);
// Never evaluated: by this, import knows the names.
0 && (module.exports = { ${Object.values(names).flat().join(', ')} });
`,
);

compile('-p', 'test/fixtures');
