import { CorruptError } from '../../values/corrupt-error';
import type { GrowingMemory } from './growing-memory';

/**
 * Makes many words change as one, whoever is killed at whatever instruction.
 *
 * Before a word is changed, where it is and what it was are written to the log, and the log's count
 * of such records grows by one. When all words are as they should be, the count goes to 0: that one
 * word is what commits the change. Whoever comes after one that died finds records, and puts back
 * what they say from the last to the first. Invariants, by number:
 *
 * - U1  While the count is 0, no change is under way.
 * - U2  A word is changed only after its record is counted; so what the records say, put back in
 *       reverse order, is the state before the change, and to put it back twice is harmless.
 * - U3  The log is used under the structure's lock only, and whoever acquires that lock from a dead
 *       owner rolls back before anything else.
 *
 * Memory that nothing leads to yet may be written without a record, unless it is on a free list.
 *
 * A killed process ends between two instructions, so its stores reach memory in the order of the
 * program, which is the order in which the engine leaves them: stores to typed arrays are not moved
 * across each other.
 */
export class UndoLog {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #at: number;
  readonly #capacity: number;
  #count = 0;

  /** @param at - where it lies in the words: a count, and `capacity` records of two words. */
  constructor(memory: GrowingMemory, at: number, capacity: number) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#at = at;
    this.#capacity = capacity;
  }

  /** Words that a log of so many records takes. */
  static words(capacity: number): number {
    return 1 + 2 * capacity;
  }

  /** How many more words may be changed before the next commit. */
  get room(): number {
    return this.#capacity - this.#count;
  }

  /** Whether a change is under way: its own, or that of somebody who died. */
  get pending(): boolean {
    return this.#ints[this.#at] !== 0;
  }

  /** Changes a word. */
  write(index: number, value: number): void {
    this.keep(index);
    this.#ints[index] = value;
  }

  /** Records a word that is about to be written otherwise. */
  keep(index: number): void {
    const ints = this.#ints;
    const count = this.#count;
    if (count >= this.#capacity) throw new CorruptError('a change of it takes too many steps');
    const record = this.#at + 1 + 2 * count;
    ints[record] = index;
    ints[record + 1] = ints[index] ?? 0;
    ints[this.#at] = this.#count = count + 1;
  }

  commit(): void {
    if (this.#count === 0) return;
    this.#count = 0;
    this.#ints[this.#at] = 0;
  }

  /**
   * Undoes what is not committed, be it of this process or of one that died.
   *
   * @param least - the first word that a change may write to.
   */
  rollBack(least: number): void {
    const count = this.#ints[this.#at] ?? 0;
    this.#count = 0;
    if (count < 0 || count > this.#capacity)
      throw new CorruptError('its undo log has no such length');
    for (let n = count - 1; n >= 0; n--) {
      const record = this.#at + 1 + 2 * n;
      const index = this.#ints[record] ?? -1;
      if (index < least || !this.#memory.reaches(index + 1)) {
        throw new CorruptError('its undo log leads astray');
      }
      this.#ints[index] = this.#ints[record + 1] ?? 0;
    }
    this.#ints[this.#at] = 0;
  }

  /** Forgets what a log says that makes no sense. */
  discard(): void {
    this.#count = 0;
    this.#ints[this.#at] = 0;
  }
}
