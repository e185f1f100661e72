import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { assignedBy, assignedByIndex, changedBy } from '../core/assignments';
import { unlinkObject, type Request } from '../core/attachment';
import type { Typed } from '../core/handle';
import {
  toAttach,
  toCreate,
  toOpen,
  type CreateOptions,
  type OpenOptions,
} from '../core/named-object';
import {
  checkType,
  plainArray,
  typeOfArray,
  type ElementOf,
  type ElementType,
  type TypedArrays,
} from '../../common/element-types';
import { invalidType, outOfRange } from '../../common/errors';
import { systemName } from '../core/names';
import {
  checkInteger,
  checkOptions,
  type ChangeOptions,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { changing, checkSyncCallback } from '../../common/sync-callbacks';
import { encodeElements } from './cells';
import { TypedData, typedContents, type Expected } from './typed-data';

/** The options of {@link SharedArray.open}. */
export interface SharedArrayOptions<T extends ElementType> extends OpenOptions {
  /** The type of the elements, by its numpy name. */
  readonly type: T;
  /** The number of elements, at least 1. The elements of a new array are 0. */
  readonly length: number;
}

/** The options of {@link SharedArray.create}: a type and a length, or elements. */
export type SharedArrayCreateOptions<T extends ElementType> =
  | (SharedArrayOptions<T> & CreateOptions & { readonly from?: undefined })
  | (CreateOptions & {
      readonly type: T;
      /** The elements, at least one. */
      readonly from: Iterable<ElementOf<T>>;
      readonly length?: undefined;
    })
  | (CreateOptions & {
      /** The elements. The type is that of this typed array. */
      readonly from: TypedArrays[T];
      readonly type?: undefined;
      readonly length?: undefined;
    });

/** The options of {@link SharedArray.attach}. */
export interface SharedArrayAttachOptions<T extends ElementType> {
  /** If given, an array of another type is refused. */
  readonly type?: T | undefined;
  /** If given, an array of another length is refused. */
  readonly length?: number | undefined;
}

/** The plain-data form of an array that is sent to other processes; see {@link SharedArray.toJSON}. */
export interface SharedArrayHandle<T extends ElementType = ElementType> extends Typed<T> {
  readonly shmkit: 'array';
  readonly name: string;
}

/** The maximum length. No typed array over a segment can be longer. */
const mostElements = 2 ** 47;

/** An example of the options that a new array needs. */
const example = { type: 'float64', length: 100 };

/**
 * Numbers of one type in shared memory, with a lock of their own: Python's `multiprocessing.Array`.
 *
 * {@link array} is a typed array over the memory itself, with all that typed arrays can do. The methods of
 * this class check their arguments, where a typed array silently wraps values around. {@link add},
 * {@link exchange}, {@link compareExchange}, {@link at} and {@link set} of one element are atomic without the
 * lock and do not block.
 *
 * The elements are at the offset that the object's header names (docs/memory-layout.md), so that programs in
 * other languages, such as Python with numpy, can share them.
 */
export class SharedArray<T extends ElementType = ElementType>
  extends TypedData<T>
  implements Iterable<ElementOf<T>>, contract.NumberArray<T>
{
  declare readonly shmkit: 'array';
  readonly #length: number;

  private constructor(request: Request, expected: Expected<T>) {
    super(request, expected);
    this.#length = this.attachment.seat.length;
  }

  /**
   * Creates a new array.
   *
   * @throws SharedMemoryError `EEXIST` the name is already in use; `ENOSPC` there is no memory for it, and
   * nothing was created; `EINVAL`, `ENAMETOOLONG` the name is not valid; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` the type or the length is not
   * valid, or one of the elements is not a value of the type.
   */
  static create<T extends ElementType>(options: SharedArrayCreateOptions<T>): SharedArray<T> {
    checkOptions(options, ['type', 'length', 'from', 'name', 'mode'], example);
    const { type, length, data } = elementsOf<T>(options);
    const contents = typedContents(type, length, data);
    return new SharedArray(toCreate('array', options, contents), { type, length });
  }

  /**
   * Attaches to an existing array.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_WRONG_KIND` it has another type or
   * length; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`, `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach<T extends ElementType>(
    name: string,
    options: SharedArrayAttachOptions<T> = {},
  ): SharedArray<T> {
    checkOptions(options, ['type', 'length']);
    const { type, length } = options;
    if (type !== undefined) checkType(type);
    if (length !== undefined) checkLength(length);
    return new SharedArray(toAttach('array', name), { type, length });
  }

  /**
   * Attaches to an array, or creates it if it does not exist. If several processes open the same name at the
   * same time, one of them creates the array, and the `mode` of that process applies.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` it exists with another type or length; and as
   * {@link SharedArray.create} (except `EEXIST`) and {@link SharedArray.attach}.
   */
  static open<T extends ElementType>(name: string, options: SharedArrayOptions<T>): SharedArray<T> {
    systemName('array', name);
    checkOptions(options, ['type', 'length', 'mode'], example);
    const type = checkType(options.type);
    const length = checkLength(options.length);
    return new SharedArray(toOpen('array', name, options, typedContents(type, length)), {
      type,
      length,
    });
  }

  /**
   * Removes a name. Processes that are attached keep the array until they close it.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    unlinkObject('array', name);
  }

  /** The number of elements. It never changes. */
  get length(): number {
    return this.#length;
  }

  /**
   * The elements themselves, without a copy. Each access returns the same typed array. It becomes empty when this
   * handle is closed.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get array(): TypedArrays[T] {
    this.attachment.open();
    return this.view;
  }

  /**
   * Atomically reads the element at an index. A negative index counts from the end.
   *
   * @returns undefined if the index is beyond either end.
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  at(index: number): ElementOf<T> | undefined {
    this.#check();
    const i = this.#place(index);
    return i < 0 || i >= this.length ? undefined : this.cells.load(i);
  }

  /**
   * Atomically assigns an element. A negative index counts from the end.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` there is no such element, or
   * `value` is not a value of the type; nothing was changed.
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  set(index: number, value: ElementOf<T>): void;
  /**
   * Assigns several elements, one after another, beginning with the element at `offset`. All values are
   * checked before the first one is assigned.
   */
  set(values: Iterable<ElementOf<T>>, offset?: number): void;
  set(where: number | Iterable<ElementOf<T>>, what?: unknown): void {
    this.#check();
    if (typeof where !== 'number') {
      this.#setAll(where, what);
    } else {
      const i = this.#inside(where);
      this.cells.store(i, this.cells.check('value', what));
    }
  }

  /**
   * Assigns one value to the elements from `start` up to, but not including, `end`. The indices are those of
   * `Array.prototype.fill`.
   *
   * @throws as {@link set}
   */
  fill(value: ElementOf<T>, start?: number, end?: number): this {
    this.#check();
    const { view, cells } = this;
    // The cast is for TypeScript: here one type of typed arrays stands for all of them.
    (view as Float64Array).fill(cells.check('value', value) as number, start, end);
    return this;
  }

  /**
   * Returns a copy, in ordinary memory, of the elements from `start` up to, but not including, `end`. The
   * indices are those of `Array.prototype.slice`.
   */
  slice(start?: number, end?: number): TypedArrays[T] {
    this.#check();
    return this.view.slice(start, end) as TypedArrays[T];
  }

  /** Iterates over the elements. Each element is read when its turn comes. */
  *[Symbol.iterator](): Generator<ElementOf<T>, void, undefined> {
    for (let i = 0; i < this.length; i++) {
      this.#check();
      yield this.cells.load(i);
    }
  }

  /**
   * Atomically adds to an element.
   *
   * @param delta - a value of the type, or the negative of one.
   * @returns the element before the addition.
   * @throws RangeError `ERR_OUT_OF_RANGE` there is no such element, or the sum would be outside the range of
   * the type; nothing was changed.
   */
  add(index: number, delta: ElementOf<T>): ElementOf<T> {
    this.#check();
    return this.addAt(this.#inside(index), delta);
  }

  /**
   * Atomically replaces an element.
   *
   * @returns the element before the call.
   */
  exchange(index: number, value: ElementOf<T>): ElementOf<T> {
    this.#check();
    const { cells } = this;
    return cells.exchange(this.#inside(index), cells.check('value', value));
  }

  /**
   * Atomically replaces an element if it is `expected`. Floats are compared by their bits.
   *
   * @returns the element before the call. If it was replaced, this is `expected`.
   */
  compareExchange(index: number, expected: ElementOf<T>, value: ElementOf<T>): ElementOf<T> {
    this.#check();
    const { cells } = this;
    const before = cells.check('expected', expected);
    return cells.compareExchange(this.#inside(index), before, cells.check('value', value));
  }

  /**
   * Replaces an element by what the function returns, under {@link TypedData.lock}. The function gets the
   * current element. Blocks this thread while another thread or process has the lock. If the lock is already
   * held through this handle, the call does not wait. A function that changes another object waits for the
   * lock of that object while this lock is held: give that change a `timeout`.
   *
   * @returns the new element.
   * @throws what the function throws (then nothing was changed), and as {@link Lock.acquireSync}.
   */
  update(
    index: number,
    fn: (value: ElementOf<T>) => ElementOf<T>,
    options?: ChangeOptions,
  ): ElementOf<T> {
    checkSyncCallback('fn', fn, changing);
    this.#check();
    return this.updateAt(this.#inside(index), fn, options);
  }

  /**
   * Waits until an element is not `expected`. Does not block the thread. The element is checked at once, whenever
   * {@link TypedData.notify} is called, and from time to time, in case the process that changed it died before it
   * called that.
   *
   * @returns the element at that time.
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; the signal's reason when it aborts.
   */
  async wait(index: number, expected: ElementOf<T>, options?: WaitOptions): Promise<ElementOf<T>> {
    this.#check();
    return this.waitFor(this.#inside(index), expected, options);
  }

  /**
   * Waits until an element is not `expected`, as {@link wait} does, but blocks this thread.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`.
   */
  waitSync(index: number, expected: ElementOf<T>, options?: TimeoutOptions): ElementOf<T> {
    this.#check();
    return this.waitForSync(this.#inside(index), expected, options);
  }

  /** Returns a handle as plain data, to send to another process, which passes it to {@link attach}. */
  toJSON(): SharedArrayHandle<T> {
    return { shmkit: 'array', name: this.name };
  }

  #setAll(values: Iterable<unknown>, offset: unknown = 0): void {
    checkIterable('values', values);
    const array =
      typeOfArray(values) === this.type
        ? plainArray(this.type, values as unknown as ArrayBufferView)
        : encodeElements(this.type, Array.from(values), (i) => `values[${i}]`);
    const first = checkInteger('offset', offset, 0, this.length);
    if (array.length > this.length - first) {
      throw outOfRange('values', `at most ${this.length - first} elements long`, array.length);
    }
    (this.view as Float64Array).set(array as Float64Array, first);
  }

  #place(index: number): number {
    if (!Number.isInteger(index)) checkInteger('index', index, -this.length, this.length - 1);
    return index < 0 ? index + this.length : index;
  }

  #inside(index: number): number {
    const i = this.#place(index);
    if (i >= 0 && i < this.length) return i;
    throw outOfRange('index', `an integer from ${-this.length} to ${this.length - 1}`, index);
  }

  #check(): void {
    if (this.attachment.guarded) this.attachment.open();
  }
}

assignedBy('array', assignedByIndex('set'));
changedBy('array', { array: 'array.set()' });

function elementsOf<T extends ElementType>(
  options: SharedArrayCreateOptions<T>,
): { type: T; length: number; data?: TypedArrays[T] } {
  const { type, length, from } = options;
  if (from === undefined) return { type: checkType(type), length: checkLength(length) };
  if (length !== undefined) {
    throw invalidType('length', 'omitted when from is given', length);
  }
  checkIterable('from', from);
  const data = elementsFrom(type, from);
  return { ...data, length: checkLength(data.data.length, 'the number of elements') };
}

function elementsFrom<T extends ElementType>(
  asked: T | undefined,
  from: Iterable<unknown>,
): { type: T; data: TypedArrays[T] } {
  const given = typeOfArray(from) as T | undefined;
  const type = asked ?? given;
  if (type === undefined) {
    throw invalidType('type', 'an element type (required because from is not a typed array)', type);
  }
  checkType(type);
  if (given === type) {
    return { type, data: plainArray(type, from as unknown as ArrayBufferView) };
  }
  return { type, data: encodeElements(type, Array.from(from), (i) => `from[${i}]`) };
}

function checkIterable(what: string, values: unknown): void {
  const isIterable = typeof values === 'object' && values !== null && Symbol.iterator in values;
  if (!isIterable) throw invalidType(what, 'an iterable of elements', values);
}

function checkLength(length: unknown, what = 'length'): number {
  return checkInteger(what, length, 1, mostElements);
}

tellClass('array', SharedArray);
