import type { StructureShape } from '../structure/structure-layout';

/** Elements in one chunk. */
export const chunkSlots = 64;
export const chunkShift = 6;
/** Words that an element takes in its chunk. */
export const slotWords = 4;
export const chunkWords = chunkSlots * slotWords;

/** Chunks that the first directory has room for. */
export const leastChunks = 8;
export const mostChunks = 2 ** 24;

/**
 * An element's words. A value of up to 8 bytes, such as a number, lies in the slot itself, and others
 * in a block of their own.
 */
export const slotLayout = {
  /** Its tag in 4 bits, and above them the bytes of the value. */
  what: 0,
  pointer: 1,
  value: 2,
} as const;

export const inlineBytes = 8;
/** The size of a value has 28 bits. */
const mostValueBytes = 2 ** 28 - 1;

/** The words that a list keeps for itself. */
export const listWords = {
  sequence: 0,
  length: 1,
  /** The position of the first element; positions go around. */
  head: 2,
  /** A block of pointers to chunks, and how many: a power of two. 0: there is none yet. */
  directory: 3,
  chunks: 4,
  /** Elements next to the list that are none of it: not yet, or no longer. */
  aside: 5,
  asideCount: 6,
  /** Whether those are in front of the list, not behind it. */
  asideInFront: 7,
  /** An exchange under way, by a number of {@link Turning}; where it begins, and its three parts. */
  turning: 8,
  turnAt: 9,
  turnFirst: 10,
  turnMiddle: 11,
  turnLast: 12,
  /** How many of its steps are done. */
  turned: 13,
  /** Of the blocks of large values: odd while one of them is freed. */
  large: 14,
  count: 15,
} as const;

/** What becomes of an exchange when it is done. */
export const enum Turning {
  None = 0,
  /** Its last part was put behind the list, and its first part ends there. */
  AtEnd = 1,
  /** Its first part was put in front of the list, and its last part ends there. */
  AtFront = 2,
}

export const listShape: StructureShape = {
  wordsBytes: 64,
  ownWords: () => listWords.count,
  mostValueBytes,
};
