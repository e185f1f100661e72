import { loadFirst, loadLast, storeFirst, storeLast } from '../core/ordered';

/**
 * A word that is odd while something is changed that readers may find, so that they need no lock:
 * what was read is of one piece if the word was even before, and is the same afterwards. Written to
 * under the structure's lock only.
 */
export class Sequence {
  readonly #ints: Int32Array;
  readonly #at: number;

  constructor(ints: Int32Array, at: number) {
    this.#ints = ints;
    this.#at = at;
  }

  /** Before reading: nothing is read before. */
  get before(): number {
    return loadFirst(this.#ints, this.#at);
  }

  /** After reading: nothing is read after. */
  get after(): number {
    return loadLast(this.#ints, this.#at);
  }

  /** Something is about to be changed. */
  open(): void {
    storeFirst(this.#ints, this.#at, (this.#ints[this.#at] ?? 0) | 1);
  }

  /** The changes are made, or undone; also those of somebody who died. */
  close(): void {
    const now = this.#ints[this.#at] ?? 0;
    if ((now & 1) !== 0) storeLast(this.#ints, this.#at, now + 1);
  }

  /** Something was changed by one store. */
  step(): void {
    storeLast(this.#ints, this.#at, ((this.#ints[this.#at] ?? 0) | 1) + 1);
  }
}
