// Looks at every addon in prebuilds/: that each is there, of its system and processor, registers itself
// by Node-API, asks for no glibc above 2.17, and says nothing of the place where it was built.
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
  const text = bytes.toString('latin1');
  const versions = [...text.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
  const newest = Math.max(0, ...versions);
  if (newest > 17) complaints.push(`it wants glibc 2.${newest}`);
  return complaints;
}
