import { storeFirst, storeLast } from '../core/ordered';

/** The number of sequences. */
const count = 64;

/**
 * A set of sequences. Each is odd while something that it protects is changed. What a reader has read is
 * valid if the sequence was even before and has the same value afterwards. Everything except reading happens
 * under the structure's lock.
 */
export class Sequences {
  static readonly count = count;
  readonly #ints: Int32Array;
  readonly #at: number;
  /** The sequences that this thread has made odd, as bits. */
  #low = 0;
  #high = 0;

  constructor(ints: Int32Array, at: number) {
    this.#ints = ints;
    this.#at = at;
  }

  /** Called before something is changed that the given sequence protects. Makes the sequence odd. */
  open(which: number): void {
    const bit = 1 << (which & 31);
    if (which < 32) {
      if ((this.#low & bit) !== 0) return;
      this.#low |= bit;
    } else {
      if ((this.#high & bit) !== 0) return;
      this.#high |= bit;
    }
    const at = this.#at + which;
    storeFirst(this.#ints, at, (this.#ints[at] ?? 0) | 1);
  }

  openAll(): void {
    for (let which = 0; which < count; which++) this.open(which);
  }

  /**
   * Called after the changes were made or undone. Makes all sequences even again that this thread has made
   * odd.
   */
  closeAll(): void {
    if ((this.#low | this.#high) === 0) return;
    for (let bits = this.#low; bits !== 0; bits &= bits - 1)
      this.#close(31 - Math.clz32(bits & -bits));
    for (let bits = this.#high; bits !== 0; bits &= bits - 1) {
      this.#close(63 - Math.clz32(bits & -bits));
    }
    this.#low = this.#high = 0;
  }

  /**
   * Like {@link closeAll}, but called after a lock owner died, when nobody knows which sequences it had made
   * odd. Makes all of them even.
   */
  repair(): void {
    this.#low = this.#high = 0;
    for (let which = 0; which < count; which++) {
      if (((this.#ints[this.#at + which] ?? 0) & 1) !== 0) this.#close(which);
    }
  }

  #close(which: number): void {
    const at = this.#at + which;
    storeLast(this.#ints, at, ((this.#ints[at] ?? 0) | 1) + 1);
  }
}
