import { native } from '../core/binding';
import { layout } from '../core/layout';
import { rosterBytes } from '../core/roster';

/**
 * The bytes of a shared object's data. The offsets are from the beginning of the data, and the numbers are
 * float64 in the machine's byte order. docs/memory-layout.md describes them for people.
 *
 *     head | table | packed value | references | small buffers | large buffers
 *
 * Everything up to the first large buffer is the front. Its size is the length in the object's header.
 */
export const head = {
  /** The number of bytes of the packed value (packed-format.ts). */
  packedBytes: 0,
  /** The number of ArrayBuffers in the value. */
  buffers: 1,
  /** The number of bytes of the references: a JSON array of the handles of the shared objects in the value. */
  referencesBytes: 2,
  /** 0, for a later version. */
  reserved: 3,
  floats: 4,
} as const;

/**
 * An entry of the table, one for each ArrayBuffer. The last three numbers are those of an entry of the table
 * in packed-format.ts.
 */
export const entry = {
  /** The offset of its bytes, a multiple of {@link bufferAlignment}. 0 if they are part of an earlier buffer. */
  at: 0,
  bytes: 1,
  base: 2,
  most: 3,
  floats: 4,
} as const;

/**
 * The version of all of this, in the lowest byte of the type in the object's header. The next bit says whether there are
 * references.
 */
export const objectFormat = 1;
export const hasReferences = 0x100;

/** A cache line, and more than any element needs. */
export const bufferAlignment = 64;

/**
 * Buffers of fewer bytes are copied when the value is read: an ArrayBuffer over shared memory costs more than
 * the copy.
 */
export const largeBytes = 4096;

export function alignedToBuffer(bytes: number): number {
  return Math.ceil(bytes / bufferAlignment) * bufferAlignment;
}

/** How many bytes of words an object has, so that its data begin at a new unit of memory. */
export function wordsBytesFor(participants: number): number {
  const { headerBytes } = layout;
  const { mapUnit } = native;
  return Math.ceil((headerBytes + rosterBytes(participants)) / mapUnit) * mapUnit - headerBytes;
}
