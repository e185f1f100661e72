import type { ElementOf, ElementType } from '../common/element-types';
import type { ChangeOptions, WaitOptions } from '../common/options';
import type { NotAPromise } from '../common/sync-callbacks';
import type { Answer } from './answer';
import type { Lock } from './lock';
import type { Named } from './named';

/** A number. Each verb is one atomic operation, whatever its type, and integers wrap around. */
export interface Value<T extends ElementType = ElementType> extends Named {
  /** For changes of more than one step, and of more than the number. */
  readonly lock: Lock;
  /**
   * Adds.
   *
   * @returns the number before.
   */
  add(delta: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Sets it.
   *
   * @returns the number before.
   */
  exchange(value: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Sets it if it is `expected`, bit for bit.
   *
   * @returns the number before.
   */
  compareExchange(expected: ElementOf<T>, value: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Replaces it by what the function makes of it, while nobody else holds the lock. An engine may have to
   * call the function more than once.
   *
   * @returns the new number.
   * @throws what the function throws: then nothing was changed. SharedMemoryError `ERR_DEADLOCK` this thread
   * holds the lock; `ERR_TIMEOUT`.
   */
  update(
    fn: (value: ElementOf<T>) => NotAPromise<ElementOf<T>>,
    options?: ChangeOptions,
  ): Answer<ElementOf<T>>;
  /**
   * Waits until it is another than `expected`, and somebody has told so by {@link Value.notify}; at once
   * when it is another already.
   *
   * @returns what it is.
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`. The signal's reason when it aborts.
   */
  wait(expected: ElementOf<T>, options?: WaitOptions): Promise<ElementOf<T>>;
  /** Tells those who wait that it has changed. */
  notify(count?: number): Answer<void>;
}

/** Numbers by their index; each verb is one atomic operation on one of them. See {@link Value}. */
export interface NumberArray<T extends ElementType = ElementType> extends Named {
  /** For changes of more than one step, and of more than one number. */
  readonly lock: Lock;
  /**
   * Adds.
   *
   * @returns the number before.
   * @throws RangeError `ERR_OUT_OF_RANGE` there is no such index; so do all verbs.
   */
  add(index: number, delta: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Sets one.
   *
   * @returns the number before.
   */
  exchange(index: number, value: ElementOf<T>): Answer<ElementOf<T>>;
  /**
   * Sets one if it is `expected`, bit for bit.
   *
   * @returns the number before.
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
