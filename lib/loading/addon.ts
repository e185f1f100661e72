import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path = require('node:path');
import nodeGypBuild = require('node-gyp-build');
import { SharedMemoryError } from '../common/errors';

/** The directory of the package. */
export const root = path.join(__dirname, '..');

/**
 * The addon, either built here or shipped with the package.
 *
 * @throws SharedMemoryError `ERR_NO_ADDON` there is none for this system, or it cannot be loaded.
 */
export function loadAddon(): unknown {
  try {
    return load();
  } catch (error) {
    throw new SharedMemoryError('ERR_NO_ADDON', explain(error), { cause: error });
  }
}

function load(): unknown {
  if (isExecutable()) return loadFile();
  try {
    // File tracers and some bundlers recognize this call only if it is written exactly like this.
    return nodeGypBuild(path.join(__dirname, '..'));
  } catch {
    return loadFile();
  }
}

/** Uses a `require` of its own: a bundled `require` may be unable to load files. */
function loadFile(): unknown {
  const file = nodeGypBuild.path(root);
  // Loaded only where it is needed, because loading it takes time.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { createRequire } = require('node:module') as typeof import('node:module');
  return createRequire(file)(file) as unknown;
}

/** Whether this code is inside an executable made by Node or Bun. */
function isExecutable(): boolean {
  return __filename === process.execPath || !existsSync(__filename);
}

function explain(error: unknown): string {
  const what = why(error);
  return isBundled() ? `${what}; ${unbundling()}` : `${what}; ${building()}`;
}

/** Whether this code is in a file that a bundler made, from which the package's files cannot be found. */
function isBundled(): boolean {
  try {
    const about: unknown = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    return (about as { name?: unknown } | null)?.name !== 'shmkit';
  } catch {
    return true;
  }
}

function unbundling(): string {
  const copy = (folder: string) => `copy its prebuilds folder to ${path.join(folder, 'prebuilds')}`;
  if (isExecutable()) {
    return `shmkit was bundled into ${process.execPath}: ${copy(path.dirname(process.execPath))}`;
  }
  return (
    `shmkit was bundled into ${__filename}: keep it out of the bundle (esbuild: --external:shmkit; ` +
    "webpack: externals: { shmkit: 'commonjs shmkit' }; rollup: external: ['shmkit']), or " +
    `${copy(root)}; docs/platforms.md says how for each bundler`
  );
}

/**
 * The commands that build the addon where the package is. They are separate commands, because not every shell
 * knows `&&`.
 */
function building(): string {
  const needs = 'to build one (needs a C++ compiler, make and Python)';
  if (existsSync(path.join(root, 'package-lock.json'))) {
    return `${needs}, run in ${root}: npm ci, then npm run build:native`;
  }
  // The path of the folder `native` is not computed as a value of its own. Otherwise file tracers would think
  // that the folder is read at run time, and include it.
  return (
    `${needs}, run: npx --yes --package=node-gyp --package=node-addon-api ` +
    `node-gyp rebuild --directory "${root}${path.sep}native"`
  );
}

function why(error: unknown): string {
  const system = `${process.platform}-${process.arch}`;
  // Only some runtimes give errors of the system's loader a code, so the message is checked.
  const message = error instanceof Error ? error.message : String(error);
  if (!message.startsWith('No native build was found')) {
    const isOfGlibc = /ld-linux|libc\.so\.6|GLIBC/.test(message);
    const hint = isOfGlibc ? '; on a musl system other than Alpine, set LIBC=musl' : '';
    return `the addon for ${system} cannot be loaded here (${message})${hint}`;
  }
  const [, libc] = /\blibc=(\w+)/.exec(message) ?? [];
  const here = process.platform === 'linux' && libc !== undefined ? `${system} ${libc}` : system;
  const there = prebuilt();
  const tried = `tried ${path.join(root, 'build', 'Release')} and prebuilds for ${here}`;
  const others = there.length > 0 ? `the package has: ${there.join(', ')}` : 'the package has none';
  return `there is no addon for this system: ${tried}; ${others}`;
}

/**
 * The systems that the package has an addon for. The C library is included where there is an addon for each.
 */
function prebuilt(): string[] {
  const folder = path.join(root, 'prebuilds');
  try {
    return readdirSync(folder).flatMap((system) =>
      readdirSync(path.join(folder, system)).map((file) =>
        [system, ...file.split('.').slice(1, -1)].join(' '),
      ),
    );
  } catch {
    return [];
  }
}
