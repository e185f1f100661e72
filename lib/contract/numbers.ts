import type { ElementOf, ElementType } from '../common/element-types';
import type { ChangeOptions, WaitOptions } from '../common/options';
import type { NotAPromise } from '../common/sync-callbacks';
import type { Answer, Reading } from './answer';
import type { Lock } from './lock';
import type { Named } from './named';

/** A number. Each method is one atomic operation, whatever the element type. */
export interface Value<T extends ElementType = ElementType> extends Named {
  /** The number. */
  readonly value: Reading<ElementOf<T>>;
  /** A lock for changes that take more than one step, or that change more than this number. */
  readonly lock: Lock;
  /**
   * Adds to the number.
   *
   * @returns the number before the change.
   * @throws RangeError `ERR_OUT_OF_RANGE` the sum does not fit the type; nothing was changed.
   */
  add(delta: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Sets the number.
   *
   * @returns the number before the change.
   */
  exchange(value: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Sets the number if it equals `expected`, bit for bit.
   *
   * @returns the number before the change.
   */
  compareExchange(expected: ElementOf<T>, value: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Replaces the number by the result of a function, while no other task or process holds the lock. It may
   * already be held through this handle. An engine may have to call the function more than once.
   *
   * @returns the new number.
   * @throws what the function throws: then nothing was changed. SharedMemoryError `ERR_DEADLOCK` this thread
   * holds the lock through another handle; `ERR_TIMEOUT`.
   */
  update(
    fn: (value: ElementOf<T>) => NotAPromise<ElementOf<T>>,
    options?: ChangeOptions,
  ): Answer<ElementOf<T>>;
  /**
   * Waits until the number differs from `expected`. Returns at once if it differs already. A change is noticed
   * when {@link Value.notify} is called, or some time later without it.
   *
   * @returns the number.
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`. The signal's reason when it aborts.
   */
  wait(expected: ElementOf<T>, options?: WaitOptions): Promise<ElementOf<T>>;
  /** Tells waiters that the number has changed. */
  notify(count?: number): Answer<void>;
}

/** An array of numbers. Each method is one atomic operation on one of them. See {@link Value}. */
export interface NumberArray<T extends ElementType = ElementType> extends Named {
  /** The number of elements. It never changes. */
  readonly length: Reading<number>;
  /** A lock for changes that take more than one step, or that change more than one number. */
  readonly lock: Lock;
  /** The element at an index, or undefined beyond either end. A negative index counts from the end. */
  at(index: number): Answer<ElementOf<T> | undefined>;
  /** Sets an element. */
  set(index: number, value: ElementOf<T>): Answer<void>;
  /** Sets the elements from `start` up to, but not including, `end`, one by one. */
  fill(value: ElementOf<T>, start?: number, end?: number): Answer<this>;
  /**
   * Adds to an element.
   *
   * @returns the number before the change.
   * @throws RangeError `ERR_OUT_OF_RANGE` the sum does not fit the type; nothing was changed. There is no such
   * index: all methods throw this.
   */
  add(index: number, delta: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Sets an element.
   *
   * @returns the number before the change.
   */
  exchange(index: number, value: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Sets an element if it equals `expected`, bit for bit.
   *
   * @returns the number before the change.
   */
  compareExchange(index: number, expected: ElementOf<T>, value: ElementOf<T>): Answer<ElementOf<T>>;
  /** As {@link Value.update}. */
  update(
    index: number,
    fn: (value: ElementOf<T>) => NotAPromise<ElementOf<T>>,
    options?: ChangeOptions,
  ): Answer<ElementOf<T>>;
  /** As {@link Value.wait}. */
  wait(index: number, expected: ElementOf<T>, options?: WaitOptions): Promise<ElementOf<T>>;
  /** As {@link Value.notify}. */
  notify(count?: number): Answer<void>;
}
