import { Tag } from '../../values/codec';
import type { DictEntries } from './entries';
import { mostSteps, none, nonsense, type DictTable } from './table';
import type { GrowingMemory } from '../structure/growing-memory';
import { dictWords, entryWords, usesAt, usesOf } from './layout';

/** How many entries are compared to find the least recently used one. */
const samples = 8;
/** After this many buckets, the search ends if at least one entry was found. */
const mostBuckets = 256;

/**
 * Chooses the entry that is removed when a dict is full: of a few random entries, the least recently used one
 * (approximated LRU by sampling). Time is measured by the clock that counts the entries that were created.
 * The time of an entry's last use is in a word that is chosen by its hash. Other entries may share that
 * word. Readers write it without the lock, because only the choice of an entry depends on it.
 */
export class DictEviction {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #entries: DictEntries;
  readonly #table: DictTable;
  readonly #usesAt: number;
  readonly #usesMask: number;
  #random: number;

  /** @param capacity - the dict's capacity, in bytes. */
  constructor(memory: GrowingMemory, entries: DictEntries, table: DictTable, capacity: number) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#entries = entries;
    this.#table = table;
    this.#usesAt = usesAt(capacity);
    this.#usesMask = usesOf(capacity) - 1;
    this.#random = ((memory.fixed[dictWords.seed] ?? 0) ^ process.pid) | 1;
  }

  /** Records that the entry of a hash is used. */
  use(hash: number): void {
    const at = this.#useOf(hash);
    const clock = this.#ints[dictWords.clock] ?? 0;
    // Checked first, so that the readers of a popular key do not contend for the word.
    if (this.#ints[at] !== clock) this.#ints[at] = clock;
  }

  /** Records that an entry with this hash was created. */
  useAnew(hash: number): void {
    this.#ints[dictWords.clock] = (this.#ints[dictWords.clock] ?? 0) + 1;
    this.use(hash);
  }

  /** The entry that {@link choose} has found, and the word that points to it. */
  victim = none;
  victimLink = 0;

  /** Chooses the least recently used of a few entries. Returns false when there is none. Under the lock. */
  choose(): boolean {
    const table = this.#table;
    const count = table.buckets;
    const clock = this.#ints[dictWords.clock] ?? 0;
    let oldest = -1;
    this.victim = none;
    let seen = 0;
    let bucket = this.#nextRandom() % count;
    for (let tries = 0; tries < count && seen < samples; tries++) {
      if (tries >= mostBuckets && seen > 0) break;
      let link = table.headAt(bucket);
      if (link === nonsense) return false;
      const before = seen;
      for (let steps = 0; steps < mostSteps && seen < samples; steps++) {
        const pointer = this.#ints[link] ?? 0;
        if (pointer === 0) break;
        const at = 2 * pointer;
        if (pointer < 0 || !this.#memory.reaches(at + entryWords.body)) return false;
        if (this.#entries.tagOf(at) !== Tag.Pending) {
          seen++;
          const used = this.#ints[this.#useOf(this.#entries.hashOf(at))] ?? 0;
          const age = (clock - used) >>> 0;
          if (age > oldest) {
            oldest = age;
            this.victim = at;
            this.victimLink = link;
          }
        }
        link = at;
      }
      // Continues at a random bucket, but steps through empty ones in order, so that the search ends.
      bucket = seen > before ? this.#nextRandom() % count : (bucket + 1) % count;
    }
    return this.victim !== none;
  }

  #useOf(hash: number): number {
    return this.#usesAt + ((hash >>> 6) & this.#usesMask);
  }

  #nextRandom(): number {
    let random = this.#random;
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    this.#random = random;
    return random >>> 0;
  }
}
