import type { Contents } from '../core/object-seat';
import { Sequences } from '../structure/sequences';
import {
  mostBytesInWord,
  structureContents,
  structureLayout,
  type StructureShape,
} from '../structure/structure-layout';

/**
 * Where things are in a dict: the one place. docs/memory-layout.md explains them. Places are in words
 * from the beginning of the data.
 */
const { own } = structureLayout;

/** Of its own words; behind them the table, and then how lately each entry was used. */
export const dictWords = {
  sequences: own,
  /** How many entries there are, but for those that somebody computes. */
  size: own + Sequences.count,
  /** How many buckets the table has. */
  buckets: own + Sequences.count + 1,
  /** What hashes begin with, so that nobody can make keys that collide. */
  seed: own + Sequences.count + 2,
  /** Counts the entries that were made, as the time by which those are told that were used lately. */
  clock: own + Sequences.count + 3,
  /** The next bucket to look for entries in whose time is over. */
  cursor: own + Sequences.count + 4,
  /** 1 once an entry's time is limited. */
  expires: own + Sequences.count + 5,
  /** How long entries live unless told otherwise, in milliseconds (float64); 0: for ever. */
  ttl: own + Sequences.count + 6,
  /** Of the large values of each stripe: odd while one of them is freed. */
  large: own + Sequences.count + 8,
  table: own + 2 * Sequences.count + 8,
} as const;

/** Buckets are in chunks: the first lies here, the others in blocks that a directory leads to. */
export const chunkBuckets = 4096;
export const chunkShift = 12;
/** A bucket and the one that it is split into are under one sequence. */
export const leastBuckets = Sequences.count;

/** No entry takes less. */
const leastEntryBytes = 32;
/** Bytes of capacity to a word that says how lately entries were used. */
const bytesAUse = 512;
const mostUses = 2 ** 24;

/** The fields of an entry, in words. */
export const entryWords = {
  next: 0,
  hash: 1,
  /** What the value is stored as, and what the key is. */
  meta: 2,
  /** Bytes of the value. */
  size: 3,
  /** When its time is over, if ever, in milliseconds since boot (float64); then the value, and right behind it the key. */
  body: 4,
} as const;

/** The bits of an entry's `meta`. */
export const meta = {
  tag: 15,
  /** The key takes two bytes a character. */
  wide: 16,
  /** Its time is limited. */
  expires: 32,
  lengthShift: 6,
} as const;

/** Characters that a key may have. */
export const longestKey = 2 ** 26 - 1;

/** In the header, as its type. */
export const evicting = 1;

/** How many chunks the directory leads to, the first included. */
export function mostChunks(capacity: number): number {
  return Math.ceil(capacity / leastEntryBytes / chunkBuckets);
}

export function directoryAt(): number {
  return dictWords.table + chunkBuckets;
}

/** Where the words that say how lately entries were used are. */
export function usesAt(capacity: number): number {
  return directoryAt() + mostChunks(capacity);
}

/** How many there are: a power of two. */
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

/** The word that says that something was computed, and how many wait for it. */
export const computedAt = 0;

export function dictContents(capacity: number, ttl: number, evicts: boolean): Contents {
  const type = evicts ? evicting : 0;
  const initialWords = dictWords.table - own;
  return structureContents(dictShape(evicts), type, capacity, initialWords, (words, floats) => {
    words[dictWords.buckets - own] = leastBuckets;
    words[dictWords.seed - own] = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
    words[dictWords.expires - own] = ttl === 0 ? 0 : 1;
    floats[(dictWords.ttl - own) / 2] = ttl;
  });
}
