import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { layout, type ObjectKind } from '../../lib/shm/core/layout';

/**
 * Overwrites one of the words of an object, for example with the value that years of use would have left.
 */
export function setWord(kind: ObjectKind, name: string, index: number, value: number): void {
  const file = openSync(`/dev/shm/shmkit.${kind}.${name}`, 'r+');
  writeSync(file, Buffer.from(Int32Array.of(value).buffer), 0, 4, layout.headerBytes + 4 * index);
  closeSync(file);
}

/** Overwrites one of the words of a structure's data. */
export function setDataWord(kind: ObjectKind, name: string, index: number, value: number): void {
  const file = openSync(`/dev/shm/shmkit.${kind}.${name}`, 'r+');
  writeSync(file, Buffer.from(Int32Array.of(value).buffer), 0, 4, dataAt(file) + 4 * index);
  closeSync(file);
}

/** Where the data of an object begin, according to its header. */
export function dataAt(file: number): number {
  const word = Buffer.alloc(4);
  readSync(file, word, 0, 4, 12);
  return word.readUInt32LE(0);
}
