import { closeSync, openSync, writeSync } from 'node:fs';
import { layout, type ObjectKind } from '../../lib/core/layout';

/** Writes into one of the words of an object, as years of use would have. */
export function setWord(kind: ObjectKind, name: string, index: number, value: number): void {
  const file = openSync(`/dev/shm/shmkit.${kind}.${name}`, 'r+');
  writeSync(file, Buffer.from(Int32Array.of(value).buffer), 0, 4, layout.headerBytes + 4 * index);
  closeSync(file);
}
