import type { ChangeOptions } from '../common/options';
import type { Answer, Answers } from './answer';
import type { Named } from './named';

/**
 * Elements in an order, by the verbs of arrays. Each change is there as a whole or not at all, whoever dies.
 * A negative index counts from the end.
 */
export interface List<V = unknown> extends Named {
  /**
   * The element at an index; undefined beyond either end.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; it cannot be read: `ERR_CORRUPT`, `ERR_ABI_MISMATCH`, or what
   * attaching to a shared object in it throws.
   */
  at(index: number): Answer<V | undefined>;
  /**
   * Assigns an element.
   *
   * @throws RangeError `ERR_OUT_OF_RANGE` there is no such element.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_CAPACITY` there is no room for it; nothing was changed. `ERR_CLOSED`,
   * `ERR_SHUTDOWN`; `ERR_DEADLOCK` within a function that {@link List.update} was given; `ERR_TIMEOUT`.
   */
  set(index: number, value: V, options?: ChangeOptions): Answer<void>;
  /**
   * Adds elements at the end, in one change.
   *
   * @returns the length.
   * @throws as {@link List.set}
   */
  push(...values: V[]): Answer<number>;
  /**
   * Removes the last element.
   *
   * @returns the element, or undefined when there is none.
   * @throws as {@link List.at} and {@link List.set}; it stays then.
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
   * Adds elements at the front, in their order, in one change.
   *
   * @returns the length.
   * @throws as {@link List.set}
   */
  unshift(...values: V[]): Answer<number>;
  /** The elements from `start` to before `end`, as of one moment. */
  slice(start?: number, end?: number): Answer<V[]>;
  /**
   * Removes `deleteCount` elements from `start` on, by default all, and puts others in their place.
   *
   * @returns the elements that were removed.
   * @throws as {@link List.set} and {@link List.at}; nothing was changed then.
   */
  splice(start: number, deleteCount?: number, ...values: V[]): Answer<V[]>;
  /** The first index of a value from `from` on, or -1. Objects are equal if their contents are, in the same order. */
  indexOf(value: V, from?: number): Answer<number>;
  /** The last index of a value, at `from` or before, or -1. */
  lastIndexOf(value: V, from?: number): Answer<number>;
  /** Whether a value is there, at `from` or behind. */
  includes(value: V, from?: number): Answer<boolean>;
  /**
   * Replaces an element by what the function makes of it, in one change. The function must not change the list,
   * and an engine may have to call it more than once.
   *
   * @returns the new element.
   * @throws what the function throws (then nothing was changed), and as {@link List.set} and {@link List.at}.
   */
  update(index: number, fn: (value: V) => V, options?: ChangeOptions): Answer<V>;
  /**
   * Adds to an element that is a number.
   *
   * @returns the number before.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` it is no number; and as {@link List.set}.
   */
  add(index: number, delta: number, options?: ChangeOptions): Answer<number>;
  /**
   * Replaces an element if it is `expected`.
   *
   * @returns whether it was replaced.
   * @throws as {@link List.set}
   */
  compareAndSet(index: number, expected: V, value: V, options?: ChangeOptions): Answer<boolean>;
  /** Removes all elements, in one change. */
  clear(options?: ChangeOptions): Answer<void>;
  /** All elements, as of one moment. */
  toArray(): Answer<V[]>;
  /** The elements, each read when its turn comes: what is changed meanwhile is seen or not. */
  values(): Answers<V>;
  /** Indices and elements, as {@link List.values}. */
  entries(): Answers<[number, V]>;
}
