import type { Arena } from '../structure/arena';
import { Tag } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';
import type { DictEntries } from './entries';
import type { GrowingMemory } from '../structure/growing-memory';
import { Sequences } from '../structure/sequences';
import {
  chunkBuckets,
  chunkShift,
  dictWords,
  directoryAt,
  entryWords,
  leastBuckets,
  mostChunks,
} from './layout';
import type { OutOfBand } from '../structure/out-of-band';
import type { UndoLog } from '../structure/undo-log';

/** How often a reader that sees changes in progress tries again before it takes the lock. */
export const mostTries = 64;

/** No chain is this long, unless its bytes were overwritten. */
export const mostSteps = 1 << 16;
/** Longer chains are not split, because the number of steps of one change is limited. */
const longestSplit = 200;

/** The result of a search for an entry is the place where the entry begins, or one of these. */
export const none = 0;
export const nonsense = -1;

/** The message for a table whose pointers are not valid. */
export const noTable = 'its hash table is inconsistent; clear() empties it';

/**
 * The hash table of a dict, in shared memory. It grows by one bucket at a time (Litwin, "Linear hashing",
 * 1980). A bucket is a word that points to the first entry of a chain. The first buckets are in a chunk of
 * their own. The others are in chunks that a directory points to.
 *
 * The table is read without the lock. It is changed under the lock and through the undo log. The keys are
 * divided into stripes by their hash. While something in a stripe is changed, the sequence of the stripe is odd,
 * so readers notice the change (see {@link Sequences}). For the numbered invariants, see `DictState`.
 */
export class DictTable {
  /** The word that points to the entry that was found; if none was found, the word of its bucket. */
  link = 0;
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #log: UndoLog;
  readonly #arena: Arena;
  readonly #sequences: Sequences;
  readonly #large: Sequences;
  readonly #entries: DictEntries;
  readonly #outOfBand: OutOfBand;
  readonly #seed: number;
  readonly #mostBuckets: number;

  /** @param capacity - the dict's capacity, in bytes. */
  constructor(
    memory: GrowingMemory,
    log: UndoLog,
    arena: Arena,
    sequences: Sequences,
    large: Sequences,
    entries: DictEntries,
    outOfBand: OutOfBand,
    capacity: number,
  ) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#log = log;
    this.#arena = arena;
    this.#sequences = sequences;
    this.#large = large;
    this.#entries = entries;
    this.#outOfBand = outOfBand;
    // Never changes, so it is read only once.
    this.#seed = memory.fixed[dictWords.seed] ?? 0;
    this.#mostBuckets = mostChunks(capacity) * chunkBuckets;
  }

  /** The number of entries, without pending ones. It may include a change that is in progress. */
  get size(): number {
    return Math.max(this.#ints[dictWords.size] ?? 0, 0);
  }

  /** The number of buckets. If the stored number is not valid, the nearest valid one. */
  get buckets(): number {
    const buckets = this.#ints[dictWords.buckets] ?? 0;
    return Math.min(Math.max(buckets, leastBuckets), this.#mostBuckets);
  }

  /** The number of buckets, or `nonsense` if the stored number is not valid. */
  get checkedBuckets(): number {
    const buckets = this.#ints[dictWords.buckets] ?? 0;
    return buckets < leastBuckets || buckets > this.#mostBuckets ? nonsense : buckets;
  }

  hash(key: string): number {
    let hash = this.#seed ^ key.length;
    for (let i = 0; i < key.length; i++) {
      hash = Math.imul(hash ^ key.charCodeAt(i), 0x9e3779b1);
    }
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }

  /** Returns where the entry of a key begins, or `none`, or `nonsense`. */
  find(key: string, hash: number): number {
    const memory = this.#memory;
    const entries = this.#entries;
    const head = this.#headOf(hash);
    if (head === nonsense) return nonsense;
    let link = head;
    for (let steps = 0; steps < mostSteps; steps++) {
      const pointer = this.#ints[link] ?? 0;
      if (pointer === 0) {
        this.link = head;
        return none;
      }
      const at = 2 * pointer;
      if (pointer < 0 || !memory.reaches(at + entryWords.body + 2)) return nonsense;
      if (this.#ints[at + entryWords.hash] === hash && entries.isKey(at, key)) {
        this.link = link;
        return at;
      }
      link = at;
    }
    return nonsense;
  }

  /** The same as {@link find}, but throws instead of returning `nonsense`. Under the lock. */
  locate(key: string, hash: number): number {
    const at = this.find(key, hash);
    if (at === nonsense) throw new CorruptError(noTable);
    return at;
  }

  /** The word that points to the first entry of a bucket, or `nonsense`. */
  headAt(bucket: number): number {
    if (bucket < chunkBuckets) return dictWords.table + bucket;
    const pointer = this.#ints[directoryAt() + (bucket >>> chunkShift)] ?? 0;
    const chunk = 2 * pointer;
    if (pointer <= 0 || !this.#memory.reaches(chunk + chunkBuckets)) return nonsense;
    return chunk + (bucket & (chunkBuckets - 1));
  }

  /**
   * Inserts the entry that has been written at `made`. It replaces the entry at `at`, or becomes the first of
   * its bucket if `at` is `none`. To be called right after {@link find}, because it uses {@link link}.
   */
  place(made: number, hash: number, at: number): void {
    const log = this.#log;
    const link = this.link;
    const wasCounted = at !== none && this.#entries.tagOf(at) !== Tag.Pending;
    this.#sequences.open(hash & (Sequences.count - 1));
    this.#ints[made] = this.#ints[at === none ? link : at] ?? 0;
    log.write(link, made / 2);
    if (at !== none) this.#free(at);
    const isCounted = this.#entries.tagOf(made) !== Tag.Pending;
    const delta = Number(isCounted) - Number(wasCounted);
    if (delta !== 0) log.write(dictWords.size, (this.#ints[dictWords.size] ?? 0) + delta);
  }

  /** @param link - the word that points to the entry. */
  remove(at: number, link: number): void {
    const log = this.#log;
    const wasCounted = this.#entries.tagOf(at) !== Tag.Pending;
    this.#sequences.open(this.#entries.hashOf(at) & (Sequences.count - 1));
    log.write(link, this.#ints[at] ?? 0);
    this.#free(at);
    if (wasCounted) log.write(dictWords.size, (this.#ints[dictWords.size] ?? 0) - 1);
  }

  /**
   * Removes an entry that was found by its position in the arena, not by its key. So the word that points to
   * the entry is not known yet, and is searched for.
   *
   * @throws CorruptError no word points to the entry.
   */
  removeAt(at: number): void {
    let link = this.#headOf(this.#entries.hashOf(at));
    for (let steps = 0; steps < mostSteps && link !== nonsense; steps++) {
      const pointer = this.#ints[link] ?? 0;
      if (2 * pointer === at) {
        this.remove(at, link);
        return;
      }
      if (pointer <= 0 || !this.#memory.reaches(2 * pointer + entryWords.body)) break;
      link = 2 * pointer;
    }
    throw new CorruptError(noTable);
  }

  /** The table's own blocks in the arena. The key is the word where a block begins, the value its chunk's number. */
  chunks(): Map<number, number> {
    const chunks = new Map<number, number>();
    const count = Math.ceil(this.buckets / chunkBuckets);
    for (let chunk = 1; chunk < count; chunk++) {
      const head = this.headAt(chunk * chunkBuckets);
      if (head === nonsense) throw new CorruptError(noTable);
      chunks.set(head - 1, chunk);
    }
    return chunks;
  }

  /** The bytes of the table's own blocks. */
  get ownBytes(): number {
    return (4 * chunkBuckets + 8) * (Math.ceil(this.buckets / chunkBuckets) - 1);
  }

  /** Moves a chunk to a block that nothing points to. */
  moveChunk(chunk: number, pointer: number): void {
    const from = this.headAt(chunk * chunkBuckets);
    if (from === nonsense || this.#arena.room(pointer) < 4 * chunkBuckets) {
      throw new CorruptError(noTable);
    }
    this.#sequences.openAll();
    this.#ints.copyWithin(2 * pointer, from, from + chunkBuckets);
    this.#log.write(directoryAt() + chunk, pointer);
    this.#arena.free(from / 2);
  }

  /** Removes all entries, and returns the table's own blocks to the arena. */
  empty(): void {
    this.#sequences.openAll();
    this.#large.openAll();
    this.#outOfBand.dropAll(() => this.apart());
    this.#arena.reset();
    this.#clear();
    this.#log.write(dictWords.cursor, 0);
  }

  /** The handles of all values that are stored apart. Under the lock. */
  apart(): string[] {
    const found: string[] = [];
    const { buckets } = this;
    for (let bucket = 0; bucket < buckets; bucket++) {
      let link = this.headAt(bucket);
      for (let steps = 0; ; steps++) {
        const pointer = link === nonsense ? nonsense : (this.#ints[link] ?? 0);
        if (pointer === 0) break;
        link = 2 * pointer;
        if (pointer < 0 || steps > mostSteps || !this.#memory.reaches(link + entryWords.body + 2)) {
          throw new CorruptError(noTable);
        }
        const stored = this.#entries.apartOf(link);
        if (stored !== undefined) found.push(stored.text);
      }
    }
    return found;
  }

  /** Adds one bucket if there are more entries than buckets, and if there is room for it. */
  grow(): void {
    if (this.size > (this.#ints[dictWords.buckets] ?? 0)) this.#split();
  }

  /** Resets the table after all blocks, and so all entries, were freed. */
  #clear(): void {
    const log = this.#log;
    for (let bucket = 0; bucket < leastBuckets; bucket++) {
      const at = dictWords.table + bucket;
      if (this.#ints[at] !== 0) log.write(at, 0);
    }
    log.write(dictWords.buckets, leastBuckets);
    log.write(dictWords.size, 0);
  }

  /**
   * Makes odd sequences even again if no change is in progress, because then their bytes were overwritten. If a
   * sequence stayed odd, all readers of its stripe would take the lock.
   */
  evenOut(): void {
    if (!this.#log.pending) this.repair();
  }

  /** Called when the change of this thread was committed or undone. Makes its sequences even again. */
  settle(): void {
    this.#sequences.closeAll();
    this.#large.closeAll();
  }

  /** The same after the change of a thread that died. Which sequences it made odd is not known: checks all. */
  repair(): void {
    this.#sequences.repair();
    this.#large.repair();
  }

  /** Frees the block of an entry. */
  #free(at: number): void {
    const entries = this.#entries;
    if (entries.tagOf(at) === Tag.OutOfBand) this.#outOfBand.drop(entries.apartOf(at));
    if (entries.isLarge(at)) this.#large.open(entries.hashOf(at) & (Sequences.count - 1));
    this.#arena.free(at / 2);
  }

  /** The word that points to the first entry of the bucket of a hash, or `nonsense`. */
  #headOf(hash: number): number {
    const buckets = this.checkedBuckets;
    return buckets === nonsense ? nonsense : this.headAt(bucketOf(hash, buckets));
  }

  #split(): void {
    const log = this.#log;
    const { buckets } = this;
    if (buckets >= this.#mostBuckets) return;
    const level = levelOf(buckets);
    const from = this.headAt(buckets - level);
    if (from === nonsense || !this.#isShort(from)) return;
    if (buckets % chunkBuckets === 0) {
      const chunk = this.#arena.allocate(4 * chunkBuckets);
      if (chunk === 0) return;
      log.write(directoryAt() + (buckets >>> chunkShift), chunk);
    }
    const to = this.headAt(buckets);
    if (to === nonsense) return;
    // D3: the bucket that is split has the same sequence as the new bucket.
    this.#sequences.open(buckets & (Sequences.count - 1));
    const ints = this.#ints;
    let stays = from;
    let goes = to;
    for (let pointer = ints[from] ?? 0; pointer !== 0;) {
      const at = 2 * pointer;
      const next = ints[at] ?? 0;
      if (((ints[at + entryWords.hash] ?? 0) & (2 * level - 1)) === buckets) {
        this.#lead(goes, pointer);
        goes = at;
      } else {
        this.#lead(stays, pointer);
        stays = at;
      }
      pointer = next;
    }
    this.#lead(stays, 0);
    this.#lead(goes, 0);
    log.write(dictWords.buckets, buckets + 1);
  }

  #lead(link: number, pointer: number): void {
    if (this.#ints[link] !== pointer) this.#log.write(link, pointer);
  }

  /** Whether a chain is short enough for one change to split it. */
  #isShort(head: number): boolean {
    let link = head;
    for (let steps = 0; steps < longestSplit; steps++) {
      const pointer = this.#ints[link] ?? 0;
      if (pointer === 0) return true;
      link = 2 * pointer;
      if (pointer < 0 || !this.#memory.reaches(link + entryWords.body)) return false;
    }
    return false;
  }
}

/** The greatest power of two that is not greater than the number of buckets. */
export function levelOf(buckets: number): number {
  return 1 << (31 - Math.clz32(buckets));
}

/** The bucket of a hash in a table with the given number of buckets. */
export function bucketOf(hash: number, buckets: number): number {
  const level = levelOf(buckets);
  const bucket = hash & (2 * level - 1);
  return bucket < buckets ? bucket : bucket & (level - 1);
}
