import { native } from '../core/binding';
import type { Contents } from '../core/object-seat';
import { Sequences } from '../structure/sequences';
import {
  mostBytesInWord,
  structureContents,
  structureLayout,
  type StructureShape,
} from '../structure/structure-layout';

/**
 * The layout of a dict, defined only here. docs/memory-layout.md explains it. Places are in words from the
 * beginning of the data.
 */
const { own } = structureLayout;

/** The dict's own words. After them come the table, and the words that record when entries were last used. */
export const dictWords = {
  sequences: own,
  /** The number of entries, without pending ones. */
  size: own + Sequences.count,
  /** The number of buckets in the table. */
  buckets: own + Sequences.count + 1,
  /** A random start value for hashes, so that nobody can construct keys that collide. */
  seed: own + Sequences.count + 2,
  /** Counts the entries that were created. Serves as the clock for the times of last use. */
  clock: own + Sequences.count + 3,
  /** The next bucket in which to look for expired entries. */
  cursor: own + Sequences.count + 4,
  /** 1 as soon as any entry may have an expiry time. */
  expires: own + Sequences.count + 5,
  /** The default lifetime of entries, in milliseconds (float64); 0: entries never expire. */
  ttl: own + Sequences.count + 6,
  /**
   * One sequence for each stripe (D2 of `DictState`), for large values: a counter that is odd while the block
   * of a large value is freed (D5).
   */
  large: own + Sequences.count + 8,
  table: own + 2 * Sequences.count + 8,
} as const;

/** Buckets are in chunks. The first chunk is here; the others are in blocks that a directory points to. */
export const chunkBuckets = 4096;
export const chunkShift = 12;
/**
 * The smallest number of buckets: one for each sequence. So when a bucket is split in two, both parts are
 * still under the same sequence (D3 of `DictState`).
 */
export const leastBuckets = Sequences.count;

/** The smallest size of an entry. */
const leastEntryBytes = 32;
/** How many bytes of capacity there are for each word that records when entries were last used. */
const bytesAUse = 512;
const mostUses = 2 ** 24;

/** The fields of an entry, in words. */
export const entryWords = {
  next: 0,
  hash: 1,
  /** How the value is stored, and the kind and length of the key. */
  meta: 2,
  /** The size of the value, in bytes. */
  size: 3,
  /** The expiry time if there is one, in milliseconds since boot (float64); then the value, then the key. */
  body: 4,
} as const;

/** The bits of an entry's `meta`. */
export const meta = {
  tag: 15,
  /** The key has two bytes per character. */
  wide: 16,
  /** The entry has an expiry time. */
  expires: 32,
  lengthShift: 6,
} as const;

/** The greatest length of a key, in characters. */
export const longestKey = 2 ** 26 - 1;

/** The type in the header of a dict that evicts. */
export const evicting = 1;

/** The greatest number of chunks, including the first. */
export function mostChunks(capacity: number): number {
  return Math.ceil(capacity / leastEntryBytes / chunkBuckets);
}

export function directoryAt(): number {
  return dictWords.table + chunkBuckets;
}

/** Where the words begin that record when entries were last used. */
export function usesAt(capacity: number): number {
  return directoryAt() + mostChunks(capacity);
}

/** The number of these words: a power of two. */
export function usesOf(capacity: number): number {
  const most = Math.min(Math.max(capacity / bytesAUse, 64), mostUses);
  return 2 ** Math.floor(Math.log2(most));
}

export function dictShape(evicts: boolean): StructureShape {
  return {
    wordsBytes: 64,
    ownWords: (capacity) => usesAt(capacity) - own + (evicts ? usesOf(capacity) : 0),
    mostValueBytes: mostBytesInWord,
  };
}

/**
 * The word, before the data, that changes whenever the computation of a value has ended. Waiters sleep on
 * this word. The word after it counts them.
 */
export const computedAt = 0;

export function dictContents(
  capacity: number,
  ttl: number,
  evicts: boolean,
  outOfBand: number,
): Contents {
  const type = evicts ? evicting : 0;
  const initialWords = dictWords.table - own;
  const initialize = (words: Int32Array, floats: Float64Array) => {
    words[dictWords.buckets - own] = leastBuckets;
    words[dictWords.seed - own] = Number(BigInt.asIntN(32, native.randomBits()));
    words[dictWords.expires - own] = ttl === 0 ? 0 : 1;
    floats[(dictWords.ttl - own) / 2] = ttl;
  };
  return structureContents(dictShape(evicts), type, capacity, outOfBand, initialWords, initialize);
}
