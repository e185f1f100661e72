import type { ChangeOptions } from '../common/options';
import type { Answer, Answers, Reading } from './answer';
import type { Named } from './named';

/**
 * An ordered sequence of elements, with the methods of arrays. Each change is atomic: it is made as a whole
 * or not at all, even if a process dies. A negative index counts from the end.
 */
export interface List<V = unknown> extends Named {
  /** The number of elements. */
  readonly length: Reading<number>;
  /**
   * The element at an index, or undefined beyond either end.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; if the element cannot be read: `ERR_CORRUPT`, `ERR_ABI_MISMATCH`,
   * or what attaching to a shared object in it throws.
   */
  at(index: number): Answer<V | undefined>;
  /**
   * Assigns an element.
   *
   * @throws RangeError `ERR_OUT_OF_RANGE` there is no such element.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_CAPACITY` there is no room for the value, and nothing was changed.
   * `ERR_CLOSED`, `ERR_SHUTDOWN`; `ERR_DEADLOCK` the call comes from within a function that was given to
   * {@link List.update}; `ERR_TIMEOUT`.
   */
  set(index: number, value: V, options?: ChangeOptions): Answer<void>;
  /**
   * Adds elements at the end, in one change.
   *
   * @returns the new length.
   * @throws as {@link List.set}
   */
  push(...values: V[]): Answer<number>;
  /**
   * Removes the last element.
   *
   * @returns the element, or undefined when there is none.
   * @throws as {@link List.at} and {@link List.set}. The element stays in the list then.
   */
  pop(options?: ChangeOptions): Answer<V | undefined>;
  /**
   * Removes the first element.
   *
   * @returns the element, or undefined when there is none.
   * @throws as {@link List.pop}
   */
  shift(options?: ChangeOptions): Answer<V | undefined>;
  /**
   * Adds elements at the front, in the order given, in one change.
   *
   * @returns the new length.
   * @throws as {@link List.set}
   */
  unshift(...values: V[]): Answer<number>;
  /** The elements from `start` up to, but not including, `end`, as of one moment. */
  slice(start?: number, end?: number): Answer<V[]>;
  /**
   * Removes `deleteCount` elements from index `start` on, and inserts the given values in their place. By
   * default all elements from `start` on are removed.
   *
   * @returns the elements that were removed.
   * @throws as {@link List.set} and {@link List.at}. Nothing was changed then.
   */
  splice(start: number, deleteCount?: number, ...values: V[]): Answer<V[]>;
  /**
   * The first index of a value at `from` or after, or -1. Objects are equal if they have the same contents in
   * the same order.
   */
  indexOf(value: V, from?: number): Answer<number>;
  /** The last index of a value at `from` or before, or -1. */
  lastIndexOf(value: V, from?: number): Answer<number>;
  /** Whether the list has a value at `from` or after. */
  includes(value: V, from?: number): Answer<boolean>;
  /**
   * Replaces an element by the result of a function, in one change. The function must not change the list. An
   * engine may have to call it more than once.
   *
   * @returns the new element.
   * @throws what the function throws (then nothing was changed), and as {@link List.set} and {@link List.at}.
   */
  update(index: number, fn: (value: V) => V, options?: ChangeOptions): Answer<V>;
  /**
   * Adds to an element that is a number.
   *
   * @returns the number before the change.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the element is not a number; and as {@link List.set}.
   */
  add(index: number, delta: number, options?: ChangeOptions): Answer<number>;
  /**
   * Replaces an element if its current value is `expected`.
   *
   * @returns whether the element was replaced.
   * @throws as {@link List.set}
   */
  compareAndSet(index: number, expected: V, value: V, options?: ChangeOptions): Answer<boolean>;
  /** Removes all elements, in one change. */
  clear(options?: ChangeOptions): Answer<void>;
  /** All elements, as of one moment. */
  toArray(): Answer<V[]>;
  /**
   * The elements. Each is read when the iteration reaches it, so a change that is made during the iteration
   * may be seen or not.
   */
  values(): Answers<V>;
  /** Indices and elements, as {@link List.values}. */
  entries(): Answers<[number, V]>;
}
