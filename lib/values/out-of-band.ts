import type { Packed } from './packer';

/** A value that is not in the structure itself, but in a shared object of its own. */
export interface StoredApart {
  /** The handle of that object, as JSON in ASCII. */
  readonly text: string;
  /** The size of that object in bytes. */
  readonly bytes: number;
}

/** Where a structure puts values whose buffers are too large for itself. */
export interface OutOfBandStore {
  /** From how many bytes in its ArrayBuffers on a value is stored apart. `Infinity`: none is. */
  readonly from: number;
  /** Stores a value. It is lost unless a record is {@link written} that refers to it. */
  store(packed: Packed): StoredApart;
  /** Called when a record that refers to it was written, within a change of the structure. */
  written(stored: StoredApart): void;
  /** The value outlives the change in which it was made, until it is written or {@link forget} is called. */
  hold(stored: StoredApart): void;
  /** Nobody will write a record that refers to it. Does nothing if one was written. */
  forget(stored: StoredApart): void;
}

/**
 * The object of a value is gone. Its record was replaced or removed after it was read: whoever reads it again finds
 * another one, or none.
 */
export class GoneError extends Error {}

let readFrom: ((text: string) => unknown) | undefined;

/** Registers the function that reads the value of such an object. It is on a higher floor (layer of the code). */
export function tellOutOfBand(read: (text: string) => unknown): void {
  readFrom = read;
}

/**
 * Reads a value that is stored apart.
 *
 * @param text - see {@link StoredApart}.
 * @throws GoneError; CorruptError, MismatchError; SharedMemoryError
 */
export function readOutOfBand(text: string): unknown {
  if (readFrom === undefined) throw new Error('no objects to read from');
  return readFrom(text);
}
