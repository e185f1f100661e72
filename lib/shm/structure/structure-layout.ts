import type { Contents } from '../core/object-seat';
import { checkInteger } from '../../common/options';
import { Arena, arenaWords } from './arena';
import { GrowingMemory } from './growing-memory';
import { UndoLog } from './undo-log';

/** Address space that a structure has unless its creator says otherwise. */
const defaultCapacity = 256 * 2 ** 20;
/** Below that there is hardly more than what a structure keeps for itself. */
const leastCapacity = 2 ** 16;
/** Places are counted in words, by integers of 32 bits. */
const mostCapacity = 2 ** 33 - 2 ** 20;

/**
 * How many words one change may write to: more than the largest does, which clears the table of a
 * dict and the lists of its arena.
 */
const logRecords = 1024;

/**
 * Values of so many bytes are large: to copy one takes so long that somebody is likely to change
 * something meanwhile. So they have sequences of their own, which only changes of large values step.
 */
export const largeBytes = 1 << 14;
/** How often a large value is copied in vain before its reader takes the lock. */
export const mostCopies = 3;

/** Where the words of a structure are, from the beginning of its data. */
export const structureLayout = {
  /** How many pages of the whole object there are: see GrowingMemory. */
  pages: 0,
  arena: 8,
  /** The first word that a structure has for itself. */
  own: 8 + arenaWords + ((8 + arenaWords) % 2),
} as const;

/** What makes one kind of structure another than the next. */
export interface StructureShape {
  /** Bytes of words that are waited for, a roster: multiples of 64. */
  readonly wordsBytes: number;
  /** How many words it keeps for itself in the data, at a capacity. */
  ownWords(capacity: number): number;
  /** How many bytes the places say at most that tell the size of a value. */
  readonly mostValueBytes: number;
}

/** The same where a word tells the size. */
export const mostBytesInWord = 2 ** 31 - 64;

/** Where the undo log begins. */
export function logAt(shape: StructureShape, capacity: number): number {
  return structureLayout.own + shape.ownWords(capacity);
}

/** Where the blocks of the arena begin. */
export function blocksAt(shape: StructureShape, capacity: number): number {
  return logAt(shape, capacity) + UndoLog.words(logRecords);
}

/** The log of a structure. */
export function logOf(memory: GrowingMemory, shape: StructureShape, capacity: number): UndoLog {
  return new UndoLog(memory, logAt(shape, capacity), logRecords);
}

export function checkCapacity(capacity: unknown = defaultCapacity): number {
  const bytes = checkInteger('capacity', capacity, leastCapacity, mostCapacity, 'bytes');
  return Math.floor(bytes / 64) * 64;
}

/** The capacities that a structure of that shape can have, as its header may say. */
export function isCapacity(capacity: number): boolean {
  return capacity >= leastCapacity && capacity <= mostCapacity && capacity % 64 === 0;
}

/**
 * What a new structure is made of.
 *
 * @param initialize - writes what its own words begin with, where that is not 0.
 * @param initialWords - how many of them that may be.
 */
export function structureContents(
  shape: StructureShape,
  type: number,
  capacity: number,
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
