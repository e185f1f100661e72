import { CorruptError } from '../../values/corrupt-error';
import type { GrowingMemory } from './growing-memory';

/**
 * Makes a change of many words atomic, even if its process is killed at any instruction.
 *
 * Before a word is changed, its place and its old value are written to the log, and the log's count of such
 * records grows by one. When all words have been changed, the count is set to 0. This one store commits the
 * change. If the process dies before that, the next lock owner finds the records, and restores the old values
 * from the last record to the first. Invariants, by number:
 *
 * - U1  While the count is 0, no change is in progress.
 * - U2  A word is changed only after its record is counted. So restoring the old values in reverse order
 *       gives the state before the change, and restoring them twice is harmless.
 * - U3  The log is used only under the structure's lock. A thread that acquires that lock from a dead owner
 *       rolls back before anything else.
 *
 * Memory that nothing points to yet may be written without a record, unless it is on a free list.
 *
 * A process is killed between two instructions. So all its stores before that moment reach memory, and none
 * after it. The stores are in the order of the source code, because the JavaScript engine does not reorder
 * stores to typed arrays.
 */
export class UndoLog {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #at: number;
  readonly #capacity: number;
  #count = 0;
  /** Called after each commit, and after each change that was undone. */
  committed: (() => void) | undefined;
  undone: (() => void) | undefined;

  /** @param at - the word where the log begins: a count, and then `capacity` records of two words. */
  constructor(memory: GrowingMemory, at: number, capacity: number) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#at = at;
    this.#capacity = capacity;
  }

  /** The number of words that a log of this many records takes. */
  static words(capacity: number): number {
    return 1 + 2 * capacity;
  }

  /** How many more words may be changed before the next commit. */
  get room(): number {
    return this.#capacity - this.#count;
  }

  /** Whether a change is in progress: one of a live owner, or one of an owner that died. */
  get pending(): boolean {
    return this.#ints[this.#at] !== 0;
  }

  /** Changes a word. */
  write(index: number, value: number): void {
    this.keep(index);
    this.#ints[index] = value;
  }

  /** Records a word that is about to be written in another way than by {@link write}. */
  keep(index: number): void {
    const ints = this.#ints;
    const count = this.#count;
    if (count >= this.#capacity) throw new CorruptError('a change to it needs too many steps');
    const record = this.#at + 1 + 2 * count;
    ints[record] = index;
    ints[record + 1] = ints[index] ?? 0;
    ints[this.#at] = this.#count = count + 1;
  }

  commit(): void {
    if (this.#count === 0) return;
    this.#count = 0;
    this.#ints[this.#at] = 0;
    this.committed?.();
  }

  /**
   * Undoes an uncommitted change, of this process or of one that died.
   *
   * @param least - the first word that a change may write to.
   */
  rollBack(least: number): void {
    const count = this.#ints[this.#at] ?? 0;
    this.#count = 0;
    if (count < 0 || count > this.#capacity) {
      throw new CorruptError('the length of its undo log is invalid');
    }
    for (let n = count - 1; n >= 0; n--) {
      const record = this.#at + 1 + 2 * n;
      const index = this.#ints[record] ?? -1;
      if (index < least || !this.#memory.reaches(index + 1)) {
        throw new CorruptError('a position in its undo log is out of bounds');
      }
      this.#ints[index] = this.#ints[record + 1] ?? 0;
    }
    this.#ints[this.#at] = 0;
    this.undone?.();
  }

  /** Discards the records of a log that makes no sense. */
  discard(): void {
    this.#count = 0;
    this.#ints[this.#at] = 0;
  }
}
