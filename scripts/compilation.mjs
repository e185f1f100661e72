// How the addon's sources are compiled, with any compiler. As many are compiled at a time as there are
// processors.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);

/** For each source: the language, the headers of Node-API, and the macros that these use. */
export const dialect = [
  '-std=gnu++17',
  ...[require('node-addon-api').include_dir, require('node-api-headers').include_dir].flatMap(
    (directory) => ['-isystem', directory],
  ),
  ...['NAPI_VERSION=8', 'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS'].map((each) => `-D${each}`),
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
];

/** Does something with each item, with as many at a time as there are processors. */
export async function inParallel(items, work) {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** Runs a command to its end. Throws with the command's output if the command fails. */
export function run(command, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`${command} ${args.join(' ')}: ${said}`));
    });
  });
}

/**
 * Writes a source that includes all of the given ones. So their headers are read only once, and the
 * compiler sees the whole program. Returns its path. The sources are found in the directories given by -I.
 */
export function together(sources, file) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, sources.map((source) => `#include "${source}"\n`).join(''));
  return file;
}

/** Compiles each source with its arguments into its own object in the folder. Returns the objects. */
export async function compileAll([command, ...first], sources, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const units = sources.map((args, i) => ({ args, object: path.join(folder, `${i}.o`) }));
  await inParallel(units, ({ args, object }) =>
    run(command, [...first, '-c', ...args, '-o', object]),
  );
  return units.map(({ object }) => object);
}
