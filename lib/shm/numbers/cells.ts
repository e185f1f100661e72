import {
  constructorOf,
  type ElementOf,
  type ElementType,
  type TypedArrays,
} from '../../common/element-types';
import { invalidType, outOfRange } from '../../common/errors';

/**
 * Atomic access to elements of one type, for the operations of values and arrays that need no lock. Every
 * operation is sequentially consistent, because it is made of operations of `Atomics`. The caller must check
 * the index. A detached buffer has no elements, so `Atomics` throws.
 */
export interface Cells<V extends number | bigint> {
  /** The number of elements; 0 when the buffer was detached. */
  readonly length: number;
  /** Throws unless `value` is a value of the type. */
  check(what: string, value: unknown): V;
  load(index: number): V;
  store(index: number, value: V): void;
  /**
   * Adds to an element. Throws unless `delta` is a value of the type or the negative of one.
   *
   * @returns the element before the addition, or undefined when the sum is outside the range of the type.
   */
  add(index: number, delta: unknown): V | undefined;
  exchange(index: number, value: V): V;
  compareExchange(index: number, expected: V, value: V): V;
  /** Whether {@link compareExchange} treats two values as equal. */
  same(a: V, b: V): boolean;
}

type Integers =
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>;

type BigIntegers = BigInt64Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>;

/** Integers of at most 32 bits. */
class IntegerCells implements Cells<number> {
  readonly #view: Integers;
  readonly #least: number;
  readonly #most: number;

  constructor(view: Integers, least: number, most: number) {
    this.#view = view;
    this.#least = least;
    this.#most = most;
  }

  get length(): number {
    return this.#view.length;
  }

  check(what: string, value: unknown): number {
    return checkInteger(what, value, this.#least, this.#most);
  }

  load(index: number): number {
    return Atomics.load(this.#view, index);
  }

  store(index: number, value: number): void {
    Atomics.store(this.#view, index, value);
  }

  add(index: number, given: unknown): number | undefined {
    const span = this.#most - this.#least;
    const delta = checkInteger('delta', given, -span, span);
    const view = this.#view;
    for (;;) {
      // The element need not be read atomically here: the value is only a guess, which compareExchange
      // confirms.
      const before = view[index] ?? 0;
      const after = before + delta;
      if (after > this.#most || after < this.#least) {
        if (Atomics.load(view, index) === before) return undefined;
      } else if (Atomics.compareExchange(view, index, before, after) === before) {
        return before;
      }
    }
  }

  exchange(index: number, value: number): number {
    return Atomics.exchange(this.#view, index, value);
  }

  compareExchange(index: number, expected: number, value: number): number {
    return Atomics.compareExchange(this.#view, index, expected, value);
  }

  same(a: number, b: number): boolean {
    return a === b;
  }
}

/** Integers of 64 bits. */
class BigIntegerCells implements Cells<bigint> {
  readonly #view: BigIntegers;
  readonly #least: bigint;
  readonly #most: bigint;
  readonly #leastDelta: bigint;
  readonly #mostDelta: bigint;

  constructor(view: BigIntegers, least: bigint, most: bigint) {
    this.#view = view;
    this.#least = least;
    this.#most = most;
    this.#leastDelta = least - most;
    this.#mostDelta = most - least;
  }

  get length(): number {
    return this.#view.length;
  }

  check(what: string, value: unknown): bigint {
    return checkBigInt(what, value, this.#least, this.#most);
  }

  load(index: number): bigint {
    return Atomics.load(this.#view, index);
  }

  store(index: number, value: bigint): void {
    Atomics.store(this.#view, index, value);
  }

  add(index: number, given: unknown): bigint | undefined {
    const delta = checkBigInt('delta', given, this.#leastDelta, this.#mostDelta);
    const view = this.#view;
    for (;;) {
      const before = view[index] ?? 0n;
      const after = before + delta;
      if (after > this.#most || after < this.#least) {
        if (Atomics.load(view, index) === before) return undefined;
      } else if (Atomics.compareExchange(view, index, before, after) === before) {
        return before;
      }
    }
  }

  exchange(index: number, value: bigint): bigint {
    return Atomics.exchange(this.#view, index, value);
  }

  compareExchange(index: number, expected: bigint, value: bigint): bigint {
    return Atomics.compareExchange(this.#view, index, expected, value);
  }

  same(a: bigint, b: bigint): boolean {
    return a === b;
  }
}

/** Floats of 32 bits, accessed by their bits. */
class Float32Cells implements Cells<number> {
  readonly #bits: Int32Array<ArrayBuffer>;
  readonly #float = new Float32Array(2);
  readonly #asBits = new Int32Array(this.#float.buffer);

  constructor(buffer: ArrayBuffer) {
    this.#bits = new Int32Array(buffer);
  }

  get length(): number {
    return this.#bits.length;
  }

  check(what: string, value: unknown): number {
    return checkFloat(what, value);
  }

  load(index: number): number {
    return this.#toFloat(Atomics.load(this.#bits, index));
  }

  store(index: number, value: number): void {
    Atomics.store(this.#bits, index, this.#toBits(value));
  }

  add(index: number, given: unknown): number {
    const delta = checkFloat('delta', given);
    for (;;) {
      const bits = this.#bits[index] ?? 0;
      const before = this.#toFloat(bits);
      const after = this.#toBits(before + delta);
      if (Atomics.compareExchange(this.#bits, index, bits, after) === bits) return before;
    }
  }

  exchange(index: number, value: number): number {
    return this.#toFloat(Atomics.exchange(this.#bits, index, this.#toBits(value)));
  }

  compareExchange(index: number, expected: number, value: number): number {
    const after = this.#toBits(value);
    let bits = this.#toBits(expected);
    for (;;) {
      const found = Atomics.compareExchange(this.#bits, index, bits, after);
      const before = this.#toFloat(found);
      // Other programs may write NaNs with different bits, which JavaScript does not distinguish.
      if (found === bits || !(Number.isNaN(before) && Number.isNaN(expected))) return before;
      bits = found;
    }
  }

  same(a: number, b: number): boolean {
    return Object.is(Math.fround(a), Math.fround(b));
  }

  #toBits(value: number): number {
    this.#float[0] = value;
    return this.#asBits[0] ?? 0;
  }

  #toFloat(bits: number): number {
    this.#asBits[1] = bits;
    return this.#float[1] ?? 0;
  }
}

/**
 * Adds to an element natively. In JavaScript, each compare-exchange of 64 bits would have to create a bigint.
 */
export type AddFloat64 = (index: number, delta: number) => number;

/** Floats of 64 bits, accessed by their bits. */
class Float64Cells implements Cells<number> {
  readonly #bits: BigInt64Array<ArrayBuffer>;
  readonly #float = new Float64Array(2);
  readonly #asBits = new BigInt64Array(this.#float.buffer);
  readonly #addNatively: AddFloat64;

  constructor(buffer: ArrayBuffer, addNatively: AddFloat64) {
    this.#bits = new BigInt64Array(buffer);
    this.#addNatively = addNatively;
  }

  get length(): number {
    return this.#bits.length;
  }

  check(what: string, value: unknown): number {
    return checkFloat(what, value);
  }

  load(index: number): number {
    return this.#toFloat(Atomics.load(this.#bits, index));
  }

  store(index: number, value: number): void {
    Atomics.store(this.#bits, index, this.#toBits(value));
  }

  add(index: number, delta: unknown): number {
    return this.#addNatively(index, checkFloat('delta', delta));
  }

  exchange(index: number, value: number): number {
    return this.#toFloat(Atomics.exchange(this.#bits, index, this.#toBits(value)));
  }

  compareExchange(index: number, expected: number, value: number): number {
    const after = this.#toBits(value);
    let bits = this.#toBits(expected);
    for (;;) {
      const found = Atomics.compareExchange(this.#bits, index, bits, after);
      const before = this.#toFloat(found);
      // Other programs may write NaNs with different bits, which JavaScript does not distinguish.
      if (found === bits || !(Number.isNaN(before) && Number.isNaN(expected))) return before;
      bits = found;
    }
  }

  same(a: number, b: number): boolean {
    return Object.is(a, b);
  }

  #toBits(value: number): bigint {
    this.#float[0] = value;
    return this.#asBits[0] ?? 0n;
  }

  #toFloat(bits: bigint): number {
    this.#asBits[1] = bits;
    return this.#float[1] ?? 0;
  }
}

type Maker<T extends ElementType> = (
  buffer: ArrayBuffer,
  addFloat64: AddFloat64,
) => Cells<ElementOf<T>>;

const makers: { [T in ElementType]: Maker<T> } = {
  int8: (buffer) => new IntegerCells(new Int8Array(buffer), -128, 127),
  uint8: (buffer) => new IntegerCells(new Uint8Array(buffer), 0, 255),
  int16: (buffer) => new IntegerCells(new Int16Array(buffer), -32_768, 32_767),
  uint16: (buffer) => new IntegerCells(new Uint16Array(buffer), 0, 65_535),
  int32: (buffer) => new IntegerCells(new Int32Array(buffer), -(2 ** 31), 2 ** 31 - 1),
  uint32: (buffer) => new IntegerCells(new Uint32Array(buffer), 0, 2 ** 32 - 1),
  int64: (buffer) => new BigIntegerCells(new BigInt64Array(buffer), -(2n ** 63n), 2n ** 63n - 1n),
  uint64: (buffer) => new BigIntegerCells(new BigUint64Array(buffer), 0n, 2n ** 64n - 1n),
  float32: (buffer) => new Float32Cells(buffer),
  float64: (buffer, addFloat64) => new Float64Cells(buffer, addFloat64),
};

/**
 * Makes the cells over a buffer that contains only the elements.
 *
 * @param addFloat64 - adds to an element natively, for a shared buffer.
 */
export function cellsOver<T extends ElementType>(
  type: T,
  buffer: ArrayBuffer,
  addFloat64: AddFloat64,
): Cells<ElementOf<T>> {
  return makers[type](buffer, addFloat64);
}

/** Used for ordinary memory, where nothing is ever added. */
const noAddition: AddFloat64 = () => NaN;

/** Checks each value, and returns all of them as a typed array in ordinary memory. */
export function encodeElements<T extends ElementType>(
  type: T,
  values: readonly unknown[],
  what: (index: number) => string,
): TypedArrays[T] {
  const array = new (constructorOf(type))(values.length);
  const cells = cellsOver(type, array.buffer, noAddition);
  values.forEach((value, index) => cells.store(index, cells.check(what(index), value)));
  return array;
}

function checkInteger(what: string, value: unknown, least: number, most: number): number {
  // The common case comes first, so that it is fast and can be inlined.
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  if (typeof value !== 'number') throw invalidType(what, 'a number', value);
  throw outOfRange(what, `an integer from ${least} to ${most}`, value);
}

function checkBigInt(what: string, value: unknown, least: bigint, most: bigint): bigint {
  if (typeof value !== 'bigint') {
    throw invalidType(
      what,
      Number.isInteger(value) ? `a bigint (${String(value)}n)` : 'a bigint',
      value,
    );
  }
  if (value < least || value > most) {
    throw outOfRange(what, `an integer from ${least}n to ${most}n`, value);
  }
  return value;
}

function checkFloat(what: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidType(what, 'a number', value);
  return value;
}
