import type { StructureShape } from '../structure/structure-layout';

/** The number of elements in one chunk. */
export const chunkSlots = 64;
export const chunkShift = 6;
/** The number of words for each element in its chunk. */
export const slotWords = 4;
export const chunkWords = chunkSlots * slotWords;

/** The number of chunks that the first directory has room for. */
export const leastChunks = 8;
export const mostChunks = 2 ** 24;

/**
 * The words of an element. A value of up to 8 bytes, such as a number, is in the slot itself. Other values
 * are in a block of their own.
 */
export const slotLayout = {
  /** The tag in the low 4 bits; above them, the size of the value in bytes. */
  what: 0,
  pointer: 1,
  value: 2,
} as const;

export const inlineBytes = 8;
/** The size of a value has 28 bits. */
const mostValueBytes = 2 ** 28 - 1;

/** The list's own words. */
export const listWords = {
  sequence: 0,
  length: 1,
  /** The position of the first element. Positions wrap around. */
  head: 2,
  /** A block of pointers to chunks, and their number: a power of two. 0: there is no directory yet. */
  directory: 3,
  chunks: 4,
  /** Elements that are set aside next to the list: they do not belong to it yet, or no longer. */
  aside: 5,
  asideCount: 6,
  /** Whether they are in front of the list, not behind it. */
  asideInFront: 7,
  /** The exchange in progress, as a number of {@link Turning}; where it begins, and its three parts. */
  turning: 8,
  turnAt: 9,
  turnFirst: 10,
  turnMiddle: 11,
  turnLast: 12,
  /** How many of its steps are done. */
  turned: 13,
  /** The sequence for the blocks of large values: odd while one of them is freed. */
  large: 14,
  count: 15,
} as const;

/** What to do when an exchange is done. */
export const enum Turning {
  None = 0,
  /** The last part was set aside behind the list. The first part ends up there. */
  AtEnd = 1,
  /** The first part was set aside in front of the list. The last part ends up there. */
  AtFront = 2,
}

export const listShape: StructureShape = {
  wordsBytes: 64,
  ownWords: () => listWords.count,
  mostValueBytes,
};
