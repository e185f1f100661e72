/**
 * Loads and stores of shared words that take no lock and keep an order: readers see by them whether
 * what they have read is of one piece. Processors of this architecture make loads in the order of the
 * program, and stores; engines leave those to typed arrays where they are. Others order them by atomic
 * operations only: one that stores and then one that loads are passed by nothing.
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

/** Loads before it are made before loads after it, and stores before it before stores after it. */
export const order: () => void = isOrdered
  ? () => undefined
  : () => {
      Atomics.store(scratch, 0, 0);
      Atomics.load(scratch, 0);
    };

/** A load that is not made before an earlier atomic operation. */
export const loadAfterAtomic: (words: Int32Array, index: number) => number = loadFirst;
