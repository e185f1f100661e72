/**
 * Loads and stores by which readers that take no lock see whether what they have read is of one
 * piece. Processors of this architecture make loads in the order of the program, and stores; engines
 * leave those to typed arrays where they are. Others order them by atomic operations only: one that
 * stores and then one that loads are passed by nothing.
 */
const isOrdered = process.arch === 'x64' || process.arch === 'ia32';

const scratch = new Int32Array(1);

/** A load that later ones are not made before. */
export const loadFirst: (words: Int32Array, index: number) => number = isOrdered
  ? (words, index) => words[index] ?? 0
  : Atomics.load;

/** A load that is not made before earlier ones. */
export const loadLast: (words: Int32Array, index: number) => number = isOrdered
  ? (words, index) => words[index] ?? 0
  : (words, index) => {
      Atomics.store(scratch, 0, 0);
      return Atomics.load(words, index);
    };

/** A store that later ones are not made before. */
export const storeFirst: (words: Int32Array, index: number, value: number) => void = isOrdered
  ? (words, index, value) => {
      words[index] = value;
    }
  : (words, index, value) => {
      Atomics.store(words, index, value);
      Atomics.load(words, index);
    };

/** A store that is not made before earlier ones. */
export const storeLast: (words: Int32Array, index: number, value: number) => void = isOrdered
  ? (words, index, value) => {
      words[index] = value;
    }
  : (words, index, value) => {
      Atomics.store(words, index, value);
    };

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
