import type { ChangeOptions, WaitOptions } from '../common/options';
import type { Answer, Answers, Reading } from './answer';
import type { Named } from './named';

/** How long an entry lives. */
export interface TtlOptions {
  /** Milliseconds from now on, or `Infinity`. By default the dict's own time to live. */
  readonly ttl?: number | undefined;
}

/**
 * A map of keys to values. Each change is atomic: it is made as a whole or not at all, even if a process
 * dies, and from then on all processes see it. Values are compared in their stored form: objects are equal if
 * they have the same contents in the same order.
 */
export interface Dict<V = unknown> extends Named {
  /** The number of entries. */
  readonly size: Reading<number>;
  /**
   * The value of a key, or undefined when there is none.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; if the value cannot be read: `ERR_CORRUPT`, `ERR_ABI_MISMATCH`,
   * or what attaching to a shared object in it throws.
   */
  get(key: string): Answer<V | undefined>;
  /** Whether there is an entry with this key. */
  has(key: string): Answer<boolean>;
  /**
   * Sets the value of a key.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_CAPACITY` there is no room for the value, and nothing was changed.
   * `ERR_CLOSED`, `ERR_SHUTDOWN`; `ERR_DEADLOCK` the call comes from within a function that was given to
   * {@link Dict.update}; `ERR_TIMEOUT`.
   */
  set(key: string, value: V, options?: TtlOptions & ChangeOptions): Answer<this>;
  /**
   * Sets the value of a key that has no value yet.
   *
   * @returns whether the value was set.
   * @throws as {@link Dict.set}
   */
  setIfAbsent(key: string, value: V, options?: TtlOptions & ChangeOptions): Answer<boolean>;
  /**
   * Removes an entry.
   *
   * @returns whether there was one.
   */
  delete(key: string, options?: ChangeOptions): Answer<boolean>;
  /** Removes all entries, in one change. */
  clear(options?: ChangeOptions): Answer<void>;
  /**
   * Adds to the number that a key has as its value. A key without a value counts as 0. An existing entry
   * keeps its expiry time.
   *
   * @returns the number before the change.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value is not a number; and as {@link Dict.set}.
   */
  add(key: string, delta: number, options?: TtlOptions & ChangeOptions): Answer<number>;
  /**
   * Replaces a value by the result of a function, in one change. The function gets the current value, or
   * undefined when there is none. It must not change the dict. An engine may have to call it more than once.
   *
   * @returns the new value.
   * @throws what the function throws (then nothing was changed), and as {@link Dict.set} and
   * {@link Dict.get}.
   */
  update(
    key: string,
    fn: (value: V | undefined) => V,
    options?: TtlOptions & ChangeOptions,
  ): Answer<V>;
  /**
   * Sets the value of a key if the current value is `expected`. A missing key counts as undefined.
   *
   * @returns whether the value was set.
   * @throws as {@link Dict.set}
   */
  compareAndSet(
    key: string,
    expected: V | undefined,
    value: V,
    options?: TtlOptions & ChangeOptions,
  ): Answer<boolean>;
  /**
   * The value of a key, computed if there is none. Only one task of one process computes it, and all others
   * wait for the result. If that process dies or the function throws, another task computes the value.
   *
   * @throws what the function throws; SharedMemoryError `ERR_TIMEOUT` another task takes longer to compute
   * the value; `ERR_DEADLOCK` the computation waits for itself. The signal's reason when it aborts.
   */
  getOrSet(
    key: string,
    fn: (key: string) => V | PromiseLike<V>,
    options?: TtlOptions & WaitOptions,
  ): Promise<V>;
  /**
   * The keys. A change that is made during the iteration may be seen or not. An entry that is present
   * throughout is returned exactly once.
   */
  keys(): Answers<string>;
  /** The values; as {@link Dict.keys}. */
  values(): Answers<V>;
  /** Keys and values; as {@link Dict.keys}. */
  entries(): Answers<[string, V]>;
}

/**
 * Named values as the properties of an object. The engine defines how these properties appear to a program.
 */
export interface Namespace<T extends object = object> extends Named {
  readonly values: T;
}
