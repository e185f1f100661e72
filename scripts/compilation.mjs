// Runs compilers, as many at a time as there are processors.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

/** Runs a command to its end; throws what it said when that is not a good one. */
export function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`${command} ${args.join(' ')}: ${said}`));
    });
  });
}

/** Compiles each of the sources, as its arguments say, into a folder of its own; the objects. */
export async function compileAll([command, ...first], sources, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const objects = sources.map((_, i) => path.join(folder, `${i}.o`));
  const left = sources.entries();
  const work = async () => {
    for (const [i, args] of left) await run(command, [...first, '-c', ...args, '-o', objects[i]]);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return objects;
}
