// Looks at every addon in prebuilds/: that each is there, of its system and processor, registers itself
// by Node-API, asks for nothing of a C++ library and for no glibc above 2.17, has no symbols but those
// it is linked by, and says nothing of the place where it was built.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** By what a file begins with: where its processor stands, and which. */
const elf = (machine) => (bytes) =>
  bytes.readUInt32BE(0) === 0x7f454c46 && bytes.readUInt16LE(18) === machine;
const machO = (processor) => (bytes) =>
  bytes.readUInt32LE(0) === 0xfeedfacf && bytes.readUInt32LE(4) === processor;
const pe = (machine) => (bytes) =>
  bytes.readUInt16BE(0) === 0x4d5a && bytes.readUInt16LE(bytes.readUInt32LE(0x3c) + 4) === machine;

const expected = {
  'linux-x64/shmkit.glibc.node': elf(62),
  'linux-x64/shmkit.musl.node': elf(62),
  'linux-arm64/shmkit.glibc.node': elf(183),
  'linux-arm64/shmkit.musl.node': elf(183),
  'darwin-x64/shmkit.node': machO(0x01000007),
  'darwin-arm64/shmkit.node': machO(0x0100000c),
  'win32-x64/shmkit.node': pe(0x8664),
};

const home = [path.resolve('.'), os.homedir(), 'node_modules'];
let failed = 0;
for (const [file, isRight] of Object.entries(expected)) {
  const complaints = look(path.join('prebuilds', file), isRight);
  for (const complaint of complaints) console.error(`${file}: ${complaint}`);
  failed += complaints.length;
}
console.log(`${Object.keys(expected).length} addons, ${failed} complaints`);
process.exit(failed === 0 ? 0 : 1);

function look(file, isRight) {
  let bytes;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return [error.message];
  }
  const complaints = [];
  if (!isRight(bytes)) complaints.push('it is of another system or processor');
  if (!bytes.includes('napi_register_module_v1')) complaints.push('it does not register itself');
  for (const place of home) {
    if (bytes.includes(place)) complaints.push(`it speaks of ${place}`);
  }
  const { wanted, own } = symbolsOf(file, bytes);
  // Of C++: what the system's own libraries do not have. Windows' linker refuses what is missing.
  const missing = wanted.filter((name) => /^_*(Z|cxa_|gxx_)/.test(name));
  if (missing.length > 0) complaints.push(`it wants ${missing.join(', ')}`);
  if (own > 0) complaints.push(`it is not stripped of ${own} symbols`);
  const text = bytes.toString('latin1');
  const versions = [...text.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
  const newest = Math.max(0, ...versions);
  if (newest > 17) complaints.push(`it wants glibc 2.${newest}`);
  return complaints;
}

/** The names of what an addon looks for elsewhere, and how many symbols it has besides for debugging. */
function symbolsOf(file, bytes) {
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return symbolsOfMachO(bytes);
  if (bytes.readUInt32BE(0) !== 0x7f454c46) return { wanted: [], own: 0 };
  const names = (...options) => {
    const { status, stdout, stderr } = spawnSync('nm', [...options, file], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`nm: ${stderr}`);
    return stdout.split('\n').flatMap((line) => line.trim().split(' ').at(-1).split('@')[0] || []);
  };
  return { wanted: names('-D', '--undefined-only'), own: names('--no-sort').length };
}

/** By its symbol table: mach-o/loader.h and mach-o/nlist.h of Apple's. */
function symbolsOfMachO(bytes) {
  const [symtab, headerBytes, entryBytes] = [2, 32, 16];
  const [external, kinds, undefinedKind, debugging] = [0x01, 0x0e, 0x00, 0xe0];
  const wanted = [];
  let own = 0;
  let at = headerBytes;
  for (let i = 0; i < bytes.readUInt32LE(16); i++, at += bytes.readUInt32LE(at + 4)) {
    if (bytes.readUInt32LE(at) !== symtab) continue;
    const [table, count, strings] = [8, 12, 16].map((offset) => bytes.readUInt32LE(at + offset));
    for (let entry = table; entry < table + count * entryBytes; entry += entryBytes) {
      const start = strings + bytes.readUInt32LE(entry);
      const type = bytes[entry + 4];
      const name = bytes.toString('latin1', start, bytes.indexOf(0, start));
      if (type & debugging) own++;
      else if ((type & kinds) === undefinedKind && type & external) wanted.push(name);
    }
  }
  return { wanted, own };
}
