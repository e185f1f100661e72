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
  /**
   * The position of the elements that are set aside next to the list, and their number. These elements do not
   * belong to the list yet, or no longer: see N3 of `ListState`.
   */
  aside: 5,
  asideCount: 6,
  /** Whether the elements that are set aside are in front of the list, not behind it. */
  asideInFront: 7,
  /**
   * An exchange of two parts of the list that is in progress (N4 of `ListState`): its kind ({@link Turning});
   * the position where it begins; the number of elements in its first, middle and last part.
   */
  turning: 8,
  turnAt: 9,
  turnFirst: 10,
  turnMiddle: 11,
  turnLast: 12,
  /** How many steps of the exchange are done. */
  turned: 13,
  /** The sequence for the blocks of large values: odd while one of them is freed. */
  large: 14,
  count: 15,
} as const;

/** The kind of an exchange. It says what happens to the removed elements when the exchange is done. */
export const enum Turning {
  None = 0,
  /**
   * The last part contains the new elements, which were set aside behind the list. After the exchange, the
   * first part, which contains the removed elements, is set aside there.
   */
  AtEnd = 1,
  /**
   * The first part contains the new elements, which were set aside in front of the list. After the exchange,
   * the last part, which contains the removed elements, is set aside there.
   */
  AtFront = 2,
}

export const listShape: StructureShape = {
  wordsBytes: 64,
  ownWords: () => listWords.count,
  mostValueBytes,
};
