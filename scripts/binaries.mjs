// Says what a linked file imports from other files, and what it has kept for debuggers. Reads ELF, Mach-O
// and PE.
//
// Each reader returns `libraries`, the files that are imported; `wanted`, the names that are imported from
// them; `late`, those imports whose file is only found when it is needed (macOS: the names that are found
// in the program; Windows: the files whose functions are looked up at their first call); and `own`, the
// number of symbols for debugging.
import { spawnSync } from 'node:child_process';

const readers = [
  [(bytes) => bytes.readUInt32BE(0) === 0x7f454c46, readElf],
  [(bytes) => bytes.readUInt32LE(0) === 0xfeedfacf, readMachO],
  [(bytes) => bytes.readUInt16BE(0) === 0x4d5a, readPe],
];

export function readBinary(file, bytes) {
  const [, read] = readers.find(([isIt]) => isIt(bytes)) ?? [];
  if (!read) throw new Error('it is no program');
  return read(bytes, file);
}

/** Uses GNU binutils. */
function readElf(_, file) {
  const lines = (command, ...args) => {
    const { status, error, stdout, stderr } = spawnSync(command, [...args, file], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr}`);
    return stdout.split('\n');
  };
  const names = (...options) =>
    lines('nm', ...options).flatMap((line) => line.trim().split(' ').at(-1).split('@')[0] || []);
  return {
    libraries: lines('readelf', '-d').flatMap((line) => /NEEDED.*\[(.*)\]/.exec(line)?.[1] ?? []),
    wanted: names('-D', '--undefined-only'),
    late: [],
    own: names('--no-sort').length,
  };
}

function stringAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}

/** According to Apple's mach-o/loader.h and mach-o/nlist.h. */
function readMachO(bytes) {
  const [loadDylib, symtab, headerBytes, entryBytes] = [0x0c, 0x02, 32, 16];
  const [external, kinds, undefinedKind, debugging] = [0x01, 0x0e, 0x00, 0xe0];
  // How a symbol says that any file may provide it: a flat namespace, or dynamic lookup.
  const anywhere = [0x00, 0xfe];
  const found = { libraries: [], wanted: [], late: [], own: 0 };
  const readSymbols = (command) => {
    const [table, count, strings] = [8, 12, 16].map((each) => bytes.readUInt32LE(command + each));
    for (let entry = table; entry < table + count * entryBytes; entry += entryBytes) {
      const name = stringAt(bytes, strings + bytes.readUInt32LE(entry));
      const type = bytes[entry + 4];
      const isWanted = (type & kinds) === undefinedKind && (type & debugging) === 0;
      // Zig's linker gives names to its jumps to far functions, and keeps these names.
      const isOwn = (type & external) === 0 && !name.endsWith('__thunk');
      if (isOwn || (type & debugging) !== 0) found.own++;
      else if (isWanted) found.wanted.push(name);
      if (isWanted && anywhere.includes(bytes.readUInt16LE(entry + 6) >> 8)) found.late.push(name);
    }
  };
  let at = headerBytes;
  for (let i = 0; i < bytes.readUInt32LE(16); i++, at += bytes.readUInt32LE(at + 4)) {
    const command = bytes.readUInt32LE(at);
    if (command === loadDylib)
      found.libraries.push(stringAt(bytes, at + bytes.readUInt32LE(at + 8)));
    if (command === symtab) readSymbols(at);
  }
  return found;
}

/** According to "PE Format" in Microsoft's documentation. */
function readPe(bytes) {
  const header = bytes.readUInt32LE(0x3c) + 4;
  const [optional, directories] = [header + 20, header + 20 + 112];
  const sections = optional + bytes.readUInt16LE(header + 16);
  const fileOffset = (address) => {
    for (let i = 0; i < bytes.readUInt16LE(header + 2); i++) {
      const [size, start, , offset] = [8, 12, 16, 20].map((each) =>
        bytes.readUInt32LE(sections + 40 * i + each),
      );
      if (address >= start && address < start + size) return offset + address - start;
    }
    throw new Error(`its address ${address} is in no section`);
  };
  /**
   * The file names in a table that ends with a 0 entry. `nameAt` is where an entry refers to its file name.
   */
  const filesIn = (directory, entryBytes, nameAt) => {
    const address = bytes.readUInt32LE(directories + 8 * directory);
    const files = [];
    for (let at = address && fileOffset(address); at > 0; at += entryBytes) {
      const name = bytes.readUInt32LE(at + nameAt);
      if (name === 0) break;
      files.push(stringAt(bytes, fileOffset(name)));
    }
    return files;
  };
  return {
    libraries: filesIn(1, 20, 12),
    wanted: [],
    late: filesIn(13, 32, 4),
    own: bytes.readUInt32LE(header + 8),
  };
}
