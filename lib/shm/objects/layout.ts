import { native } from '../core/binding';
import { layout } from '../core/layout';
import { rosterBytes } from '../core/roster';

/**
 * The bytes of a shared object's data. The offsets are from the beginning of the data, and the numbers are
 * float64 in the machine's byte order. docs/memory-layout.md describes them for people.
 *
 *     head | table | packed value | references | small buffers | large buffers
 *
 * The table and everything up to the first large buffer are the front. Its size is the length in the object's header.
 * In an object that was allocated before its value was known, the front is the last part, behind the large buffers.
 */
export const head = {
  /** The number of bytes of the packed value (packed-format.ts). */
  packedBytes: 0,
  /** The number of ArrayBuffers in the value. */
  buffers: 1,
  /** The number of bytes of the references: a JSON array of handles of shared objects. */
  referencesBytes: 2,
  /** The offset of the front, a multiple of 8. */
  frontAt: 3,
  floats: 4,
} as const;

export const headBytes = 8 * head.floats;

/**
 * An entry of the table, one for each ArrayBuffer. Three numbers, base to most, are those of an entry of the table
 * in packed-format.ts.
 */
export const entry = {
  /** The offset of its bytes, a multiple of {@link bufferAlignment}. 0 if they are part of an earlier buffer. */
  at: 0,
  bytes: 1,
  base: 2,
  most: 3,
  /**
   * 0 if the bytes are in this object. Otherwise they are in the data of the shared object with this number in the
   * references, which counts from 1.
   */
  source: 4,
  floats: 5,
} as const;

/**
 * The version of all of this, in the lowest byte of the type in the object's header. The next bits say whether there are
 * references, and whether a structure keeps the object.
 */
export const objectFormat = 1;
export const hasReferences = 0x100;
/** A structure keeps the object. The first reference says which. */
export const isKept = 0x200;

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
