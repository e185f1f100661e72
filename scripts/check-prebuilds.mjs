// Checks every addon in prebuilds/. It must exist, be for its system and processor, and not be too large.
// It must register itself through Node-API. It may import only from its system and from the program that
// loads it, and nothing from a glibc above 2.17. It must have no symbols except those it is linked by, and
// must not contain the path where it was built.
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readBinary } from './binaries.mjs';

/** Checks by the first bytes of a file: where the processor is named, and which one it is. */
const elf = (machine) => (bytes) =>
  bytes.readUInt32BE(0) === 0x7f454c46 && bytes.readUInt16LE(18) === machine;
const machO = (processor) => (bytes) =>
  bytes.readUInt32LE(0) === 0xfeedfacf && bytes.readUInt32LE(4) === processor;
const pe = (machine) => (bytes) =>
  bytes.readUInt16BE(0) === 0x4d5a && bytes.readUInt16LE(bytes.readUInt32LE(0x3c) + 4) === machine;

/**
 * The libraries that systems provide, and the names that may be resolved in the program that loads the
 * addon.
 */
const linux = { libraries: /^(lib(c|dl|pthread|rt)\.so\.\d|libc\.so|ld-linux-.*)$/, late: /^$/ };
const darwin = {
  libraries: /^\/usr\/lib\/libSystem\.B\.dylib$/,
  late: /^_(napi|node_api)_/,
};
const win32 = {
  libraries: /^(kernel32|ntdll|advapi32|api-ms-win-crt-[\w-]+)\.dll$/i,
  late: /^node\.exe$/,
};

const expected = {
  'linux-x64/shmkit.glibc.node': { is: elf(62), mostKiB: 144, ...linux },
  'linux-x64/shmkit.musl.node': { is: elf(62), mostKiB: 144, ...linux },
  'linux-arm64/shmkit.glibc.node': { is: elf(183), mostKiB: 144, ...linux },
  'linux-arm64/shmkit.musl.node': { is: elf(183), mostKiB: 144, ...linux },
  'darwin-x64/shmkit.node': { is: machO(0x01000007), mostKiB: 144, ...darwin },
  // Its pages are 16 KiB.
  'darwin-arm64/shmkit.node': { is: machO(0x0100000c), mostKiB: 176, ...darwin },
  'win32-x64/shmkit.node': { is: pe(0x8664), mostKiB: 144, ...win32 },
};

const home = [path.resolve('.'), os.homedir(), 'node_modules'];
let failed = 0;
for (const [file, what] of Object.entries(expected)) {
  const complaints = look(path.join('prebuilds', file), what);
  for (const complaint of complaints) console.error(`${file}: ${complaint}`);
  failed += complaints.length;
}
console.log(`${Object.keys(expected).length} addons, ${failed} complaints`);
process.exit(failed === 0 ? 0 : 1);

function look(file, what) {
  try {
    const bytes = readFileSync(file);
    if (!what.is(bytes)) return ['it is of another system or processor'];
    return [...lookAtBytes(bytes, what), ...lookAtSymbols(readBinary(file, bytes), what)];
  } catch (error) {
    return [error.message];
  }
}

function lookAtBytes(bytes, { mostKiB }) {
  const complaints = [];
  if (bytes.length > mostKiB * 1024) {
    complaints.push(`it has ${Math.ceil(bytes.length / 1024)} KiB, and ${mostKiB} are the most`);
  }
  if (!bytes.includes('napi_register_module_v1')) complaints.push('it does not register itself');
  for (const place of home) {
    if (bytes.includes(place)) complaints.push(`it speaks of ${place}`);
  }
  const versions = [...bytes.toString('latin1').matchAll(/GLIBC_2\.(\d+)/g)];
  const newest = Math.max(0, ...versions.map(([, minor]) => Number(minor)));
  if (newest > 17) complaints.push(`it wants glibc 2.${newest}`);
  return complaints;
}

function lookAtSymbols(found, { libraries, late }) {
  const complaints = [];
  const complain = (names, why) => {
    if (names.length > 0) complaints.push(`${why}: ${names.join(', ')}`);
  };
  complain(
    found.libraries.filter((name) => !libraries.test(name)),
    'it asks for files that the system does not have',
  );
  complain(
    found.late.filter((name) => !late.test(name)),
    'it looks for these in the program that loads it',
  );
  // C++ names that the system's own libraries do not have. C libraries have atexit() under two of these
  // names.
  complain(
    found.wanted.filter((name) => /^_*(Z|cxa_(?!at(_quick_)?exit$)|gxx_|Unwind_)/.test(name)),
    'it wants of a C++ library',
  );
  if (found.own > 0) complaints.push(`it is not stripped of ${found.own} symbols`);
  return complaints;
}
