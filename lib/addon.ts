import { readdirSync } from 'node:fs';
import path from 'node:path';
import nodeGypBuild from 'node-gyp-build';
import { SharedMemoryError } from './errors';

const root = path.join(__dirname, '..');

/** Where `node_modules` is that the package is in. */
const project = path.join(root, '..', '..');

/** Builds the addon where the package is installed. It takes a C++ compiler, make and Python. */
const building =
  `cd "${path.relative(process.cwd(), project) || '.'}" && ` +
  'npm install --no-save node-addon-api node-gyp && ' +
  `npx node-gyp rebuild --directory "${path.relative(project, root)}"`;

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
    throw new SharedMemoryError('ERR_NO_ADDON', `${why(error)}; to build one: ${building}`, {
      cause: error,
    });
  }
}

function why(error: unknown): string {
  const here = `${process.platform}-${process.arch}`;
  // What the system's loader says has a code of its own in some runtimes only.
  const message = error instanceof Error ? error.message : String(error);
  if (!message.startsWith('No native build was found')) {
    return `the addon for ${here} cannot be loaded here (${message})`;
  }
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
