// The addon's sources for a system, by the mechanisms that their names end with.
import { readdirSync } from 'node:fs';
import path from 'node:path';

/** Of each system, by the names of Node's `process.platform`: what its files' names may end with. */
const mechanisms = {
  linux: ['posix', 'linux', 'pthread', 'ofd', 'futex'],
  darwin: ['posix', 'shm_open', 'flock', 'darwin'],
  win32: ['win32'],
};

const all = new Set(Object.values(mechanisms).flat());

/** The C++ files that make the addon there. */
export function sourcesOf(system) {
  return ['binding', 'core', 'os']
    .flatMap((floor) => readdirSync(path.join('native', floor)).map((file) => ({ floor, file })))
    .filter(({ file }) => file.endsWith('.cc') && serves(file, system))
    .map(({ floor, file }) => ['native', floor, file].join('/'))
    .sort();
}

function serves(file, system) {
  const mechanism = [...all].find((each) => file.endsWith(`_${each}.cc`));
  if (file === 'win32.cc') return system === 'win32';
  return mechanism === undefined || mechanisms[system].includes(mechanism);
}
