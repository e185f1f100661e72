import type { Contents } from '../core/object-seat';
import { checkInteger } from '../../common/options';
import { Arena, arenaWords } from './arena';
import { GrowingMemory } from './growing-memory';
import { UndoLog } from './undo-log';

/** The default address space of a structure, in bytes. */
const defaultCapacity = 256 * 2 ** 20;
/** The smallest capacity. Below it, there would hardly be room for more than a structure's own words. */
const leastCapacity = 2 ** 16;
/** The greatest capacity. Places are counted in words, by integers of 32 bits. */
const mostCapacity = 2 ** 33 - 2 ** 20;

/**
 * How many words one change may write to. The largest change needs fewer: it clears the table of a dict and
 * the lists of its arena.
 */
const logRecords = 1024;

/**
 * Values of at least this many bytes are large. Copying one takes so long that another change is likely to happen
 * meanwhile. So large values have sequences of their own, which only change when large values are freed.
 */
export const largeBytes = 1 << 14;
/** How often a large value is copied without success before its reader takes the lock. */
export const mostCopies = 3;

/** The places of a structure's words, from the beginning of its data. */
export const structureLayout = {
  /** How many pages of the whole object have memory: see GrowingMemory. */
  pages: 0,
  /** From how many bytes in its ArrayBuffers on a value is stored apart (float64); 0: none is. */
  outOfBandFrom: 2,
  /** The bytes of all values that are stored apart (float64). The first words that changes may write to. */
  outOfBandBytes: 4,
  /** Not 0: no more values are stored apart, because the structure has lost its name. */
  outOfBandEnded: 6,
  arena: 8,
  /** The first of the words that each kind of structure has for itself. */
  own: 8 + arenaWords + ((8 + arenaWords) % 2),
} as const;

/** What differs between the kinds of structures. */
export interface StructureShape {
  /**
   * The bytes in front of the data, for words that can be waited for, and for a roster (the table of the
   * threads that take part): a multiple of 64.
   */
  readonly wordsBytes: number;
  /**
   * The number of words in the data that this kind of structure has for itself, for a given capacity in
   * bytes.
   */
  ownWords(capacity: number): number;
  /** The greatest size of a value, in bytes, that its stored size can express. */
  readonly mostValueBytes: number;
}

/** The greatest size of a value, in bytes, if the size is stored in a word of 32 bits. */
export const mostBytesInWord = 2 ** 31 - 64;

/** Where the undo log begins. */
export function logAt(shape: StructureShape, capacity: number): number {
  return structureLayout.own + shape.ownWords(capacity);
}

/** Where the blocks of the arena begin. */
export function blocksAt(shape: StructureShape, capacity: number): number {
  return logAt(shape, capacity) + UndoLog.words(logRecords);
}

/** Makes the undo log of a structure. */
export function logOf(memory: GrowingMemory, shape: StructureShape, capacity: number): UndoLog {
  return new UndoLog(memory, logAt(shape, capacity), logRecords);
}

export function checkCapacity(capacity: unknown = defaultCapacity): number {
  const bytes = checkInteger('capacity', capacity, leastCapacity, mostCapacity, 'bytes');
  return Math.floor(bytes / 64) * 64;
}

/** The smallest value for which an object of its own is worth its cost. */
const leastOutOfBand = 4096;

/** Checks the option `outOfBand`. Returns 0 if no value is to be stored apart. */
export function checkOutOfBand(outOfBand: unknown): number {
  if (outOfBand === undefined) return 0;
  return checkInteger('outOfBand', outOfBand, leastOutOfBand, Number.MAX_SAFE_INTEGER, 'bytes');
}

/** Whether a structure can have this capacity, which was read from its header. */
export function isCapacity(capacity: number): boolean {
  return capacity >= leastCapacity && capacity <= mostCapacity && capacity % 64 === 0;
}

/**
 * Returns the initial contents of a new structure.
 *
 * @param outOfBand - from how many bytes in its ArrayBuffers on a value is stored apart; 0: none is.
 * @param initialize - writes the initial values of its own words, where these are not 0.
 * @param initialWords - how many of its own words `initialize` may write.
 */
export function structureContents(
  shape: StructureShape,
  type: number,
  capacity: number,
  outOfBand: number,
  initialWords = 0,
  initialize?: (own: Int32Array, floats: Float64Array) => void,
): Contents {
  const { own } = structureLayout;
  const blocks = blocksAt(shape, capacity);
  const words = new Int32Array(own + initialWords + (initialWords % 2));
  const firstBytes = Math.min(
    GrowingMemory.firstBytes(shape.wordsBytes, 4 * (blocks + 2)),
    GrowingMemory.firstBytes(shape.wordsBytes, capacity),
  );
  words[structureLayout.pages] = GrowingMemory.pages(firstBytes);
  new Float64Array(words.buffer)[structureLayout.outOfBandFrom / 2] = outOfBand;
  Arena.initialize(words, structureLayout.arena, blocks);
  initialize?.(words.subarray(own), new Float64Array(words.buffer, 4 * own));
  return {
    type,
    length: capacity,
    wordsBytes: shape.wordsBytes,
    dataBytes: capacity,
    data: new Uint8Array(words.buffer),
    firstBytes,
  };
}
