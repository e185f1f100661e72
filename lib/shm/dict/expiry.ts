import { sinceBoot } from '../core/clock';
import type { DictEntries } from './entries';
import { mostSteps, nonsense, type DictTable } from './table';
import type { GrowingMemory } from '../structure/growing-memory';
import { dictWords, entryWords } from './layout';
import type { UndoLog } from '../structure/undo-log';

/** How many records the undo log must have room for before one more entry is removed. */
const removalRoom = 64;

/** How many buckets one step looks through when it searches for room. */
const bucketsAtOnce = 256;

/** When something that is set now expires, by the clock of {@link sinceBoot}; 0: never. */
export function expiryOf(ttl: number): number {
  return ttl === 0 ? 0 : sinceBoot() + ttl;
}

/**
 * Removes entries that have expired. They are no longer visible, but they still use memory. So each change
 * looks through one more bucket, round and round the table. Under the lock.
 */
export class DictExpiry {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #log: UndoLog;
  readonly #entries: DictEntries;
  readonly #table: DictTable;

  constructor(memory: GrowingMemory, log: UndoLog, entries: DictEntries, table: DictTable) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#log = log;
    this.#entries = entries;
    this.#table = table;
  }

  /** Looks through the next bucket, if any entry can expire. */
  step(): void {
    if (this.#ints[dictWords.expires] !== 0) this.#sweep(1);
  }

  /** Removes some expired entries. Returns false when there are none. */
  makeRoom(): boolean {
    if (this.#ints[dictWords.expires] === 0) return false;
    for (let swept = 0; swept < this.#table.buckets; swept += bucketsAtOnce) {
      if (this.#sweep(bucketsAtOnce) > 0) return true;
    }
    return false;
  }

  /** Removes expired entries from the next few buckets. Returns how many. */
  #sweep(buckets: number): number {
    const table = this.#table;
    let removed = 0;
    const count = table.buckets;
    let bucket = Math.max(this.#ints[dictWords.cursor] ?? 0, 0);
    for (let swept = 0; swept < buckets; swept++, bucket++) {
      if (bucket >= count) bucket = 0;
      let link = table.headAt(bucket);
      if (link === nonsense) break;
      for (let steps = 0; steps < mostSteps; steps++) {
        const pointer = this.#ints[link] ?? 0;
        if (pointer === 0) break;
        const at = 2 * pointer;
        if (pointer < 0 || !this.#memory.reaches(at + entryWords.body + 2)) break;
        if (this.#log.room < removalRoom) break;
        if (this.#entries.isExpired(at)) {
          table.remove(at, link);
          removed++;
        } else {
          link = at;
        }
      }
    }
    this.#ints[dictWords.cursor] = bucket;
    return removed;
  }
}
