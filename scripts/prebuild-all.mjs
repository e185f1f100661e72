// Fills prebuilds/ for every platform, from Linux on x64:
//
//   node scripts/prebuild-all.mjs [TARGET ...]
//
// zig, from the npm registry, contains the C libraries of all systems except Windows, in the requested
// versions. The library for Windows is the one that comes with Windows 10. It is linked through mingw-w64
// (Debian: mingw-w64-x86-64-dev), because zig has mingw-w64 only as source, which takes minutes to compile.
//
// Two builds of the same sources are byte-identical, wherever they are made.
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { dialect } from './compilation.mjs';
import { compileByZig, runZig } from './zig.mjs';

/**
 * The file names are those that node-gyp-build looks for. glibc 2.17 is from 2012. Node 20 needs macOS 11.
 */
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

/** The addon's source, and how it is compiled for each target. */
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

/** No exception passes through the addon. The tables for unwinding would be a seventh of it. */
const withoutUnwinding = ['-fno-asynchronous-unwind-tables', '-fno-unwind-tables'];

const mingwHome = '/usr/x86_64-w64-mingw32/lib';
const mingw = ['dllcrt2.o', 'libmingw32.a', 'libucrt.a', 'libmingwex.a', 'libkernel32.a'];

/**
 * Options that zig does not have. They are passed in the variable LINK, which Microsoft's linker and zig's
 * read.
 */
const linkingForWindows = [
  // The functions of Node-API are in the program that loads the addon. Each is looked up when it is first
  // called; see native/binding/host_win32.cc.
  '-delayload:node.exe',
  // GCC's stack probe has this other name in the system's libraries.
  '-alternatename:___chkstk_ms=__chkstk',
  // GNU's name for the start of an image.
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
    ? // The functions of Node-API are looked up in the program that loads the addon.
      ['-Wl,-undefined,dynamic_lookup', '-Wl,-dead_strip', '-Wl,-x']
    : ['-Wl,--gc-sections'];
  const objects = await compileByZig({
    triple,
    source,
    flags: [...flags, '-fPIC', ...withoutUnwinding],
    folder: path.join('out/prebuilds', name),
  });
  // Nothing from zig's compiler-rt is needed, and it would have to be compiled for each target.
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
  // Import libraries for the functions that the addon calls. They say which file each function is in.
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
