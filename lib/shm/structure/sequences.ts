import { storeFirst, storeLast } from '../core/ordered';

/** How many sequences there are. */
const count = 64;

/**
 * Sequences: each is odd while something is changed that readers find under it. A reader takes what it
 * has read for good if the sequence was even before and is the same afterwards. Under the structure's
 * lock, but for reading.
 */
export class Sequences {
  static readonly count = count;
  readonly #ints: Int32Array;
  readonly #at: number;
  /** Which ones this thread has made odd, by bits. */
  #low = 0;
  #high = 0;

  constructor(ints: Int32Array, at: number) {
    this.#ints = ints;
    this.#at = at;
  }

  /** Something under it is about to be changed. */
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

  /** The changes are made, or undone. */
  closeAll(): void {
    if ((this.#low | this.#high) === 0) return;
    for (let bits = this.#low; bits !== 0; bits &= bits - 1)
      this.#close(31 - Math.clz32(bits & -bits));
    for (let bits = this.#high; bits !== 0; bits &= bits - 1) {
      this.#close(63 - Math.clz32(bits & -bits));
    }
    this.#low = this.#high = 0;
  }

  /** The same of somebody who died, and of whom nobody knows which ones were open. */
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
