// Fills prebuilds/ for every platform, from Linux on x64:
//
//   node scripts/prebuild-all.mjs [TARGET ...]
//
// zig, from the npm registry, has the C libraries of all but Windows in it, in the versions that are
// asked for. Windows is mingw-w64's (Debian: g++-mingw-w64-x86-64-posix).
//
// Two builds of the same sources are the same bytes, wherever they are made.
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { compileAll, dialect, run, together } from './compilation.mjs';
import { sourcesOf } from './sources.mjs';
import { buildByZig } from './zig.mjs';

/** By the names that node-gyp-build looks for. glibc 2.17 is of 2012; macOS 11 is Node 20's least. */
const targets = {
  'linux-x64-glibc': { file: 'linux-x64/shmkit.glibc.node', triple: 'x86_64-linux-gnu.2.17' },
  'linux-x64-musl': { file: 'linux-x64/shmkit.musl.node', triple: 'x86_64-linux-musl' },
  'linux-arm64-glibc': { file: 'linux-arm64/shmkit.glibc.node', triple: 'aarch64-linux-gnu.2.17' },
  'linux-arm64-musl': { file: 'linux-arm64/shmkit.musl.node', triple: 'aarch64-linux-musl' },
  'darwin-x64': { file: 'darwin-x64/shmkit.node', triple: 'x86_64-macos.11.0' },
  'darwin-arm64': { file: 'darwin-arm64/shmkit.node', triple: 'aarch64-macos.11.0' },
  'win32-x64': { file: 'win32-x64/shmkit.node' },
};

const require = createRequire(import.meta.url);
const root = path.resolve(import.meta.dirname, '..');
process.chdir(root);

const asked = process.argv.slice(2);
for (const name of asked.length > 0 ? asked : Object.keys(targets)) {
  const target = targets[name];
  if (!target) fail(`there is no target ${name}; there are ${Object.keys(targets).join(', ')}`);
  const started = performance.now();
  const file = path.join('prebuilds', target.file);
  mkdirSync(path.dirname(file), { recursive: true });
  if (name.startsWith('win32')) await buildForWindows(name, file);
  else await buildForUnix(name, target.triple, file);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${file}: ${(statSync(file).size / 1024).toFixed(0)} KiB, ${seconds} s`);
}

/** How its sources are compiled, by each compiler. */
function flags() {
  return [
    ...dialect,
    ...['-DBUILDING_NODE_EXTENSION', '-DNODE_GYP_MODULE_NAME=shmkit', '-DNDEBUG', '-O2'],
    '-fno-exceptions',
    '-fno-rtti',
    '-fvisibility=hidden',
    '-ffunction-sections',
    '-fdata-sections',
    `-ffile-prefix-map=${root}=.`,
  ];
}

async function buildForUnix(name, triple, file) {
  const system = name.startsWith('darwin') ? 'darwin' : 'linux';
  const linking =
    system === 'darwin'
      ? // Node-API's functions are looked up in the program that loads the addon.
        ['-Wl,-undefined,dynamic_lookup', '-Wl,-dead_strip', '-Wl,-x']
      : ['-Wl,--gc-sections'];
  await buildByZig({
    triple,
    sources: sourcesOf(system),
    flags: [...flags(), '-fPIC'],
    linking: ['-shared', '-s', ...linking],
    objects: path.join('out/prebuilds', name),
    file,
  });
}

async function buildForWindows(name, file) {
  const compiler = 'x86_64-w64-mingw32-g++-posix';
  if (spawnSync(compiler, ['--version']).error) {
    fail(`${compiler} is missing; Debian has it as g++-mingw-w64-x86-64-posix`);
  }
  const folder = path.join('out/prebuilds', name);
  const source = [
    ...flags(),
    // It inlines its C++ library, by which the addon would be larger by a third.
    ...['-Os', '-DNOMINMAX', '-DWIN32_LEAN_AND_MEAN'],
    ...['-I', '.', together(sourcesOf('win32'), `${folder}.cc`)],
  ];
  const objects = await compileAll([compiler], [source], folder);
  // Node-API's functions are in the program that loads the addon; see native/binding/host_win32.cc.
  const library = path.join(folder, 'libnode_api.a');
  await run('x86_64-w64-mingw32-dlltool', [
    ...['--dllname', 'node.exe'],
    ...['--input-def', require('node-api-headers').def_paths.node_api_def],
    ...['--output-delaylib', library],
    // Otherwise its members are named after a temporary file.
    ...['--temp-prefix', 'node_api'],
  ]);
  await run(compiler, [
    ...['-shared', '-s', ...objects, library],
    ...['-ldelayimp', '-static', '-Wl,--gc-sections', '-Wl,--no-insert-timestamp'],
    ...['-o', file],
  ]);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
