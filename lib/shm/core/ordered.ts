/**
 * Loads and stores of shared words that take no lock but keep an order. Readers use them to see whether what
 * they have read is consistent.
 *
 * Processors of this architecture keep loads in program order, and stores in program order, and JavaScript
 * engines do not move accesses to typed arrays. On other architectures only atomic operations keep an order:
 * no access moves across an atomic store that is followed by an atomic load.
 */
const isOrdered = process.arch === 'x64' || process.arch === 'ia32';

const scratch = new Int32Array(1);

/** A load. Later loads are not made before it. */
export const loadFirst: (words: Int32Array, index: number) => number = isOrdered
  ? (words, index) => words[index] ?? 0
  : Atomics.load;

/** A load. It is not made before earlier loads. */
export const loadLast: (words: Int32Array, index: number) => number = isOrdered
  ? (words, index) => words[index] ?? 0
  : (words, index) => {
      Atomics.store(scratch, 0, 0);
      return Atomics.load(words, index);
    };

/** A store. Later stores are not made before it. */
export const storeFirst: (words: Int32Array, index: number, value: number) => void = isOrdered
  ? (words, index, value) => {
      words[index] = value;
    }
  : (words, index, value) => {
      Atomics.store(words, index, value);
      Atomics.load(words, index);
    };

/** A store. It is not made before earlier stores. */
export const storeLast: (words: Int32Array, index: number, value: number) => void = isOrdered
  ? (words, index, value) => {
      words[index] = value;
    }
  : (words, index, value) => {
      Atomics.store(words, index, value);
    };

/**
 * Loads before this call are made before loads after it, and stores before it are made before stores after
 * it.
 */
export const order: () => void = isOrdered
  ? () => undefined
  : () => {
      Atomics.store(scratch, 0, 0);
      Atomics.load(scratch, 0);
    };

/** A load. It is not made before an earlier atomic operation. */
export const loadAfterAtomic: (words: Int32Array, index: number) => number = loadFirst;
