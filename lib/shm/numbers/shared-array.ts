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

/** What {@link SharedArray.open} takes. */
export interface SharedArrayOptions<T extends ElementType> extends OpenOptions {
  /** The type of the elements, by numpy's name. */
  readonly type: T;
  /** The number of elements, at least 1. Those of a new array are 0. */
  readonly length: number;
}

/** What {@link SharedArray.create} takes: a type and a length, or elements. */
export type SharedArrayCreateOptions<T extends ElementType> =
  | (SharedArrayOptions<T> & CreateOptions & { readonly from?: undefined })
  | (CreateOptions & {
      readonly type: T;
      /** The elements; there must be at least one. */
      readonly from: Iterable<ElementOf<T>>;
      readonly length?: undefined;
    })
  | (CreateOptions & {
      /** The elements, and by their array their type. */
      readonly from: TypedArrays[T];
      readonly type?: undefined;
      readonly length?: undefined;
    });

/** What {@link SharedArray.attach} takes. */
export interface SharedArrayAttachOptions<T extends ElementType> {
  /** Refuse an array of another type. */
  readonly type?: T | undefined;
  /** Refuse an array of another length. */
  readonly length?: number | undefined;
}

/** An array as plain data, to be sent to another process; see {@link SharedArray.toJSON}. */
export interface SharedArrayHandle<T extends ElementType = ElementType> extends Typed<T> {
  readonly shmkit: 'array';
  readonly name: string;
}

/** Beyond it no typed array can be made of a segment. */
const mostElements = 2 ** 47;

/** The least that a new one takes. */
const example = { type: 'float64', length: 100 };

/**
 * Numbers of one type in shared memory, with a lock of their own: Python's `multiprocessing.Array`.
 *
 * {@link array} is a typed array over the memory itself, for whatever typed arrays are good for.
 * The methods check what they are given, where a typed array wraps around silently; {@link add},
 * {@link exchange}, {@link compareExchange}, {@link at} and {@link set} of one element are atomic
 * without the lock and do not block.
 *
 * The elements lie at the offset that the object's header names (docs/memory-layout.md), so that
 * programs in other languages, as Python with numpy, can share them.
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
   * Makes a new array.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC` there is no memory for it, and
   * nothing was made; `EINVAL`, `ENAMETOOLONG` it cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` there is no such type, no
   * such length, or one of the elements is no value of the type.
   */
  static create<T extends ElementType>(options: SharedArrayCreateOptions<T>): SharedArray<T> {
    checkOptions(options, ['type', 'length', 'from', 'name', 'mode'], example);
    const { type, length, data } = elementsOf<T>(options);
    const contents = typedContents(type, length, data);
    return new SharedArray(toCreate('array', options, contents), { type, length });
  }

  /**
   * Attaches to an array that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_WRONG_KIND` it is of another
   * type or length; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`, `ERR_ZERO_COPY_UNAVAILABLE`.
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
   * Attaches to an array, or makes it when it is absent. Of any number of processes that open one
   * name at once, one makes it; its `mode` counts.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` it is there with another type or length; and as {@link SharedArray.create} (but `EEXIST`) and
   * {@link SharedArray.attach}.
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
   * Removes a name. Whoever is attached keeps the array until they close.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    unlinkObject('array', name);
  }

  /** The number of elements. It never changes. */
  get length(): number {
    return this.#length;
  }

  /**
   * The elements themselves, without a copy; the same typed array each time. It has none when this
   * handle was closed.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get array(): TypedArrays[T] {
    this.attachment.open();
    return this.view;
  }

  /**
   * The element at an index; a negative one counts from the end. Atomic.
   *
   * @returns undefined beyond either end.
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  at(index: number): ElementOf<T> | undefined {
    this.#check();
    const i = this.#place(index);
    return i < 0 || i >= this.length ? undefined : this.cells.load(i);
  }

  /**
   * Assigns an element; a negative index counts from the end. Atomic.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` there is no such element,
   * or it is no value of the type; nothing was changed.
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  set(index: number, value: ElementOf<T>): void;
  /**
   * Assigns several elements, one after another, beginning with the one at `offset`. All are checked
   * before the first is assigned.
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
   * Assigns one value to the elements from `start` to before `end`; indices as an array's.
   *
   * @throws as {@link set}
   */
  fill(value: ElementOf<T>, start?: number, end?: number): this {
    this.#check();
    const { view, cells } = this;
    // One array type stands for all: they differ in what an element is only.
    (view as Float64Array).fill(cells.check('value', value) as number, start, end);
    return this;
  }

  /** A copy of the elements from `start` to before `end` in ordinary memory; indices as an array's. */
  slice(start?: number, end?: number): TypedArrays[T] {
    this.#check();
    return this.view.slice(start, end) as TypedArrays[T];
  }

  /** The elements, each read when its turn comes. */
  *[Symbol.iterator](): Generator<ElementOf<T>, void, undefined> {
    for (let i = 0; i < this.length; i++) {
      this.#check();
      yield this.cells.load(i);
    }
  }

  /**
   * Adds to an element; atomic.
   *
   * @param delta - a value of the type, or the negative of one.
   * @returns the element before.
   * @throws RangeError `ERR_OUT_OF_RANGE` there is no such element, or the sum would be beyond the
   * type; nothing was changed.
   */
  add(index: number, delta: ElementOf<T>): ElementOf<T> {
    this.#check();
    return this.addAt(this.#inside(index), delta);
  }

  /**
   * Replaces an element; atomic.
   *
   * @returns the element before.
   */
  exchange(index: number, value: ElementOf<T>): ElementOf<T> {
    this.#check();
    const { cells } = this;
    return cells.exchange(this.#inside(index), cells.check('value', value));
  }

  /**
   * Replaces an element if it is `expected`; atomic. Floats are compared by their bits.
   *
   * @returns the element before: `expected`, if it was replaced.
   */
  compareExchange(index: number, expected: ElementOf<T>, value: ElementOf<T>): ElementOf<T> {
    this.#check();
    const { cells } = this;
    const before = cells.check('expected', expected);
    return cells.compareExchange(this.#inside(index), before, cells.check('value', value));
  }

  /**
   * Replaces an element by what the function makes of it, under {@link TypedData.lock}. Blocks this
   * thread while somebody else has the lock; when it is held through this handle, goes ahead. A function
   * that changes another object waits for that object's lock with this one held: give that a `timeout`.
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
   * Waits until an element is not `expected`, without blocking anything. It is looked at now, when
   * somebody calls {@link TypedData.notify}, and now and then in case who changed it died before.
   *
   * @returns the element that it is then.
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; the signal's reason when it aborts.
   */
  async wait(index: number, expected: ElementOf<T>, options?: WaitOptions): Promise<ElementOf<T>> {
    this.#check();
    return this.waitFor(this.#inside(index), expected, options);
  }

  /**
   * Waits until an element is not `expected`, as {@link wait}, blocking this thread.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`.
   */
  waitSync(index: number, expected: ElementOf<T>, options?: TimeoutOptions): ElementOf<T> {
    this.#check();
    return this.waitForSync(this.#inside(index), expected, options);
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
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
    throw invalidType('length', 'absent where the elements are given', length);
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
    throw invalidType('type', 'given where the elements are no typed array', type);
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
