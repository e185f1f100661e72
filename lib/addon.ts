import { readdirSync } from 'node:fs';
import path from 'node:path';
import nodeGypBuild from 'node-gyp-build';
import { SharedMemoryError } from './errors';

const root = path.join(__dirname, '..');

/** What builds the addon where the package is: installed, or checked out. */
function building(): string {
  const enter = (directory: string) => `cd "${path.relative(process.cwd(), directory) || '.'}"`;
  if (path.basename(path.dirname(root)) !== 'node_modules') {
    return `${enter(root)} && npm ci && npm run build:native`;
  }
  const project = path.join(root, '..', '..');
  return (
    `${enter(project)} && npm install --no-save node-addon-api node-gyp && ` +
    `npx node-gyp rebuild --directory "${path.relative(project, root)}"`
  );
}

let addon: unknown;

/**
 * The addon, as it was built here or comes with the package.
 *
 * @throws SharedMemoryError `ERR_NO_ADDON` none is for this system, or it cannot be loaded.
 */
export function loadAddon(): unknown {
  try {
    return (addon ??= nodeGypBuild(root));
  } catch (error) {
    const needs = 'with a C++ compiler, make and Python';
    const message = `${why(error)}; to build one, ${needs}: ${building()}`;
    throw new SharedMemoryError('ERR_NO_ADDON', message, { cause: error });
  }
}

function why(error: unknown): string {
  const system = `${process.platform}-${process.arch}`;
  // What the system's loader says has a code of its own in some runtimes only.
  const message = error instanceof Error ? error.message : String(error);
  if (!message.startsWith('No native build was found')) {
    const isOfGlibc = /ld-linux|libc\.so\.6|GLIBC/.test(message);
    const hint = isOfGlibc ? '; on musl, where that is not Alpine, set LIBC=musl' : '';
    return `the addon for ${system} cannot be loaded here (${message})${hint}`;
  }
  const [, libc] = /\blibc=(\w+)/.exec(message) ?? [];
  const here = process.platform === 'linux' && libc !== undefined ? `${system} ${libc}` : system;
  const there = prebuilt();
  const tried = `tried ${path.join(root, 'build', 'Release')} and prebuilds for ${here}`;
  const others = there.length > 0 ? `there are: ${there.join(', ')}` : 'there are none';
  return `there is no addon for this system: ${tried}; ${others}`;
}

/** The systems that the package has an addon for, with the C library where there is one of each. */
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
