import { loadFirst, loadLast, storeFirst, storeLast } from '../core/ordered';

/**
 * A word that is odd while something is changed that readers may reach, so that readers need no lock. What
 * was read is consistent if the word was even before, and has the same value afterwards. The word is only
 * written under the structure's lock.
 */
export class Sequence {
  readonly #ints: Int32Array;
  readonly #at: number;

  constructor(ints: Int32Array, at: number) {
    this.#ints = ints;
    this.#at = at;
  }

  /** The value before reading. No later read is moved in front of it. */
  get before(): number {
    return loadFirst(this.#ints, this.#at);
  }

  /** The value after reading. No earlier read is moved behind it. */
  get after(): number {
    return loadLast(this.#ints, this.#at);
  }

  /** Called before something is changed that readers may reach. Makes the word odd. */
  open(): void {
    storeFirst(this.#ints, this.#at, (this.#ints[this.#at] ?? 0) | 1);
  }

  /**
   * Called after the changes were made or undone. Makes the word even, with a new value. The changes may be
   * those of an owner that died.
   */
  close(): void {
    const now = this.#ints[this.#at] ?? 0;
    if ((now & 1) !== 0) storeLast(this.#ints, this.#at, now + 1);
  }

  /** Called after something was changed by a single store. Gives the word a new even value. */
  step(): void {
    storeLast(this.#ints, this.#at, ((this.#ints[this.#at] ?? 0) | 1) + 1);
  }
}
