// Fills prebuilds/ for every platform, from Linux on x64:
//
//   node scripts/prebuild-all.mjs [TARGET ...]
//
// zig, from the npm registry, has the C libraries of all but Windows in it, in the versions that are
// asked for. Windows' is what comes with Windows 10, by way of mingw-w64 (Debian: mingw-w64-x86-64-dev):
// zig has that as source only, which takes minutes to compile.
//
// Two builds of the same sources are the same bytes, wherever they are made.
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { dialect } from './compilation.mjs';
import { compileByZig, runZig } from './zig.mjs';

/** By the names that node-gyp-build looks for. glibc 2.17 is of 2012; macOS 11 is Node 20's least. */
const targets = {
  'linux-x64-glibc': { file: 'linux-x64/shmkit.glibc.node', triple: 'x86_64-linux-gnu.2.17' },
  'linux-x64-musl': { file: 'linux-x64/shmkit.musl.node', triple: 'x86_64-linux-musl' },
  'linux-arm64-glibc': { file: 'linux-arm64/shmkit.glibc.node', triple: 'aarch64-linux-gnu.2.17' },
  'linux-arm64-musl': { file: 'linux-arm64/shmkit.musl.node', triple: 'aarch64-linux-musl' },
  'darwin-x64': { file: 'darwin-x64/shmkit.node', triple: 'x86_64-macos.11.0' },
  'darwin-arm64': { file: 'darwin-arm64/shmkit.node', triple: 'aarch64-macos.11.0' },
  'win32-x64': { file: 'win32-x64/shmkit.node', triple: 'x86_64-windows-gnu' },
};

const require = createRequire(import.meta.url);
const root = path.resolve(import.meta.dirname, '..');
process.chdir(root);

/** The addon, and how it is compiled for each target. */
const source = 'native/addon.cc';
const flags = [
  ...dialect,
  ...['-DBUILDING_NODE_EXTENSION', '-DNODE_GYP_MODULE_NAME=shmkit', '-DNDEBUG', '-O2'],
  '-fno-exceptions',
  '-fno-rtti',
  '-fvisibility=hidden',
  '-ffunction-sections',
  '-fdata-sections',
  `-ffile-prefix-map=${root}=.`,
];

/** No exception passes through the addon, and what would lead one there is a seventh of it. */
const withoutUnwinding = ['-fno-asynchronous-unwind-tables', '-fno-unwind-tables'];

const mingwHome = '/usr/x86_64-w64-mingw32/lib';
const mingw = ['dllcrt2.o', 'libmingw32.a', 'libucrt.a', 'libmingwex.a', 'libkernel32.a'];

/** What zig has no options for, as the variable LINK, which Microsoft's linker reads and so does zig's. */
const linkingForWindows = [
  // Node-API's functions are in the program that loads the addon, and each is asked for when it is
  // first called; see native/binding/host_win32.cc.
  '-delayload:node.exe',
  // The system has GCC's probe of the stack under its own name.
  '-alternatename:___chkstk_ms=__chkstk',
  // GNU's name for where an image begins.
  '-alternatename:__image_base__=__ImageBase',
].join(' ');

const asked = process.argv.slice(2);
for (const name of asked.length > 0 ? asked : Object.keys(targets)) {
  const target = targets[name];
  if (!target) fail(`there is no target ${name}; there are ${Object.keys(targets).join(', ')}`);
  const started = performance.now();
  const file = path.join('prebuilds', target.file);
  mkdirSync(path.dirname(file), { recursive: true });
  const build = name.startsWith('win32') ? buildForWindows : buildForUnix;
  await build(name, target.triple, file);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${file}: ${(statSync(file).size / 1024).toFixed(0)} KiB, ${seconds} s`);
}

async function buildForUnix(name, triple, file) {
  const linking = name.startsWith('darwin')
    ? // Node-API's functions are looked up in the program that loads the addon.
      ['-Wl,-undefined,dynamic_lookup', '-Wl,-dead_strip', '-Wl,-x']
    : ['-Wl,--gc-sections'];
  const objects = await compileByZig({
    triple,
    source,
    flags: [...flags, '-fPIC', ...withoutUnwinding],
    folder: path.join('out/prebuilds', name),
  });
  // Nothing is wanted of zig's compiler-rt, which would be compiled for each target.
  const libraries = ['-nostdlib', '-lc'];
  const made = ['-target', triple, '-shared', '-s', '-o', file];
  await runZig(['cc', ...made, ...libraries, ...linking, ...objects]);
}

async function buildForWindows(name, triple, file) {
  if (!existsSync(mingwHome)) {
    fail(`${mingwHome} is missing; Debian has it as mingw-w64-x86-64-dev`);
  }
  const folder = path.join('out/prebuilds', name);
  const objects = await compileByZig({
    triple,
    source,
    flags: [...flags, '-DNOMINMAX', '-DWIN32_LEAN_AND_MEAN'],
    folder,
  });
  // Of functions that the addon asks others for: libraries that say in which file they are.
  const imports = async (name, ...what) => {
    const library = path.join(folder, `${name}.a`);
    await runZig(['dlltool', '-m', 'i386:x86-64', ...what, '-l', library]);
    return library;
  };
  const nodeApi = require('node-api-headers').def_paths.node_api_def;
  const stackProbe = path.join(folder, 'ntdll.def');
  writeFileSync(stackProbe, 'LIBRARY ntdll.dll\nEXPORTS\n__chkstk\n');
  await runZig(
    [
      ...['build-lib', '-dynamic', '-target', triple, '-fentry=DllMainCRTStartup'],
      ...['-O', 'ReleaseSmall', '-fstrip', '--gc-sections', '-fno-compiler-rt', '-fno-emit-implib'],
      ...[`-femit-bin=${file}`, ...objects],
      ...[await imports('node', '-D', 'node.exe', '-d', nodeApi)],
      ...[await imports('ntdll', '-d', stackProbe)],
      ...mingw.map((each) => path.join(mingwHome, each)),
    ],
    { LINK: linkingForWindows },
  );
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
